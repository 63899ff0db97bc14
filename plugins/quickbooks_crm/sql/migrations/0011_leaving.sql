-- What people did outside any run; whose data was erased; what was purged.

CREATE TABLE sync.act (
    act      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text        NOT NULL CHECK (kind IN ('field_added', 'company_removed', 'person_erased', 'purged')),
    company  text,
    subject  text        NOT NULL,
    by_whom  text        NOT NULL,
    acted_at timestamptz NOT NULL DEFAULT now(),
    details  jsonb       NOT NULL
);
CREATE INDEX act_company ON sync.act (company, act DESC);
COMMENT ON TABLE sync.act IS 'What people did outside any run: who, when, to what. It stays when a company is removed.';
COMMENT ON COLUMN sync.act.details IS 'Ids, names of tables and columns, and counts; never a value of a record.';

CREATE TABLE sync.erased (
    realm     text        NOT NULL,
    entity    text        NOT NULL,
    id        text        NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, entity, id)
);
COMMENT ON TABLE sync.erased IS 'People erased on request. QuickBooks may still have them; here they do not come back.';

CREATE FUNCTION sync.without_names(value jsonb, keys text[], ids text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(value) = 'array' THEN
        RETURN coalesce((SELECT jsonb_agg(sync.without_names(item, keys, ids) ORDER BY place)
                           FROM jsonb_array_elements(value) WITH ORDINALITY AS of (item, place)), '[]');
    ELSIF jsonb_typeof(value) = 'object' THEN
        RETURN coalesce((SELECT jsonb_object_agg(key, CASE
                   WHEN key = ANY (keys) AND jsonb_typeof(item) = 'object' AND item ->> 'value' = ANY (ids)
                   THEN item - 'name'
                   ELSE sync.without_names(item, keys, ids) END)
                   FROM jsonb_each(value) AS of (key, item)), '{}');
    END IF;
    RETURN value;
END $$;
COMMENT ON FUNCTION sync.without_names IS 'A record in which references under these keys to these ids carry no name any more.';

CREATE FUNCTION sync.only(value jsonb, keys text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN coalesce((SELECT jsonb_object_agg(key, item) FROM jsonb_each(value) AS of (key, item) WHERE key = ANY (keys)), '{}');

CREATE FUNCTION sync.without_person(of_entity text, payload jsonb, of_person boolean, keys text[], ids text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN of_person AND of_entity IN ('Customer', 'Vendor', 'Employee')
    THEN sync.only(payload, '{Id,SyncToken,MetaData,Active,domain,sparse}')
    WHEN of_person
    THEN sync.without_names(
             sync.only(payload, '{Id,SyncToken,MetaData,domain,sparse,TxnDate,DueDate,ExpirationDate,DocNumber,TxnStatus,TotalAmt,'
                 'HomeTotalAmt,Balance,HomeBalance,UnappliedAmt,Deposit,CurrencyRef,ExchangeRate,TxnTaxDetail,'
                 'GlobalTaxCalculation,ApplyTaxAfterDiscount,CustomerRef,VendorRef,EmployeeRef,SalesTermRef,PaymentMethodRef,'
                 'DepositToAccountRef,ClassRef,DepartmentRef,LinkedTxn}')
             || CASE WHEN jsonb_typeof(payload -> 'Line') = 'array' THEN jsonb_build_object('Line', coalesce(
                    (SELECT jsonb_agg(line - 'Description' ORDER BY place)
                       FROM jsonb_array_elements(payload -> 'Line') WITH ORDINALITY AS of (line, place)), '[]')) ELSE '{}' END,
             keys, ids)
    ELSE sync.without_names(payload, keys, ids) - CASE WHEN payload -> 'ParentRef' ->> 'value' = ANY (ids)
             THEN 'FullyQualifiedName' ELSE '' END
    END;
COMMENT ON FUNCTION sync.without_person IS
    'A record as it may be kept when people are erased: of the person only who it was, of what the person bought only what and for how much.';

ALTER TABLE sync.run ADD COLUMN purged_at timestamptz;
COMMENT ON COLUMN sync.run.purged_at IS 'When the values before and after this run were thrown away; then it can no longer be undone.';
