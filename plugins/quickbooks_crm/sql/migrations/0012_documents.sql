-- Documents: their lines, what a voided one is, and from which day on they count.

CREATE FUNCTION sync.lines(list jsonb) RETURNS TABLE (payload jsonb, place bigint, inside bigint)
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 5
BEGIN ATOMIC
    SELECT line, place, 0::bigint
      FROM jsonb_array_elements(CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE '[]' END)
           WITH ORDINALITY AS line (line, place)
    UNION ALL
    SELECT own.line, bundle.place, own.place
      FROM jsonb_array_elements(CASE WHEN jsonb_typeof(list) = 'array' THEN list ELSE '[]' END)
           WITH ORDINALITY AS bundle (line, place)
     CROSS JOIN jsonb_array_elements(CASE WHEN jsonb_typeof(bundle.line #> '{GroupLineDetail,Line}') = 'array'
                                          THEN bundle.line #> '{GroupLineDetail,Line}' ELSE '[]' END)
           WITH ORDINALITY AS own (line, place);
END;
COMMENT ON FUNCTION sync.lines IS
    'The items of a list of a document, a bundle''s own lines among them; place and inside give their order.';

CREATE FUNCTION sync.state_in_quickbooks(deleted boolean, payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN deleted THEN 'deleted'
            WHEN payload ->> 'Active' = 'false' THEN 'inactive'
            WHEN payload ? 'TxnDate' AND payload ->> 'PrivateNote' ILIKE 'voided%' AND sync.amount(payload ->> 'TotalAmt') = 0
            THEN 'inactive'
            ELSE 'active'
       END;
COMMENT ON FUNCTION sync.state_in_quickbooks IS
    'active, inactive or deleted. Inactive is what a person made so, and a document that was voided: it stays, with amounts of 0.';
