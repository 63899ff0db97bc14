-- note --
-- What is odd in the records that were brought in, noted on their rows. What QuickBooks sent is unpacked once a record.
INSERT INTO incoming (n, notes)
SELECT i.n, to_jsonb(odd.notes)
  FROM incoming AS i
 CROSS JOIN LATERAL (
       SELECT payload || '{{}}' AS payload FROM quickbooks.record
        WHERE (realm, entity, id) = (%(realm)s, i.entity, i.id) LIMIT 1) AS sent
 {beside}
 CROSS JOIN LATERAL (SELECT array_remove(ARRAY[{rules}], NULL) {lines} AS notes) AS odd
 WHERE i.outcome IN ('added', 'updated') AND i.state = 'active' AND odd.notes <> '{{}}'
ON CONFLICT (n) DO UPDATE SET notes = coalesce(incoming.notes, '[]') || excluded.notes;

-- customer --
-- The currency of a document's customer.
LEFT JOIN LATERAL (
     SELECT payload #>> '{{CurrencyRef,value}}' AS currency FROM quickbooks.record
      WHERE (realm, entity, id) = (%(realm)s, 'Customer', sent.payload #>> '{{CustomerRef,value}}') LIMIT 1) AS customer ON true

-- lines --
-- What a document's lines add up to: NULL where it has none, or one of which that cannot be said, such as a bundle that leaves
-- it to its own lines. A subtotal repeats what the others say, and a text has no amount.
CROSS JOIN LATERAL (
      SELECT count(*) AS count, CASE WHEN bool_and(line.amount IS NOT NULL) THEN sum(line.amount) END AS amount,
             array_agg(jsonb_build_object('reason', 'unknown_word', 'line', line.place, 'label', 'DetailType', 'value', left(line.kind, 40),
                                          'rule', 'is no word that QuickBooks is known to use there'))
                 FILTER (WHERE line.kind <> ALL ({kinds}::text[])) AS unknown
        FROM (SELECT said.place, said.kind,
                     CASE WHEN said.kind = 'SalesItemLineDetail' OR said.kind IS NULL THEN said.amount
                          WHEN said.kind = 'DiscountLineDetail' THEN -said.amount
                          WHEN said.kind = 'GroupLineDetail' THEN nullif(said.amount, 0) END AS amount
                FROM (SELECT own.place, own.line ->> 'DetailType' AS kind, sync.amount(own.line -> 'Amount') AS amount
                        FROM jsonb_array_elements(CASE WHEN i.entity = ANY ({sales}) AND jsonb_typeof(sent.payload -> 'Line') = 'array'
                                                       THEN sent.payload -> 'Line' END) WITH ORDINALITY AS own (line, place)
                      OFFSET 0) AS said
               WHERE said.kind IS NULL
                  OR said.kind <> 'SubTotalLineDetail' AND (said.kind <> 'DescriptionOnly' OR said.amount <> 0)) AS line) AS lines
CROSS JOIN LATERAL (
      SELECT sync.amount(sent.payload -> 'TotalAmt') AS total,
             CASE WHEN nullif(sent.payload #> '{{TxnTaxDetail,TotalTax}}', 'null') IS NULL THEN 0
                  ELSE sync.amount(sent.payload #> '{{TxnTaxDetail,TotalTax}}') END AS tax) AS own

-- unknown_kinds --
|| lines.unknown

-- total --
-- Where prices include the tax, each line's amount without it is rounded by itself.
CASE WHEN abs(own.total - lines.amount - own.tax)
          >= CASE WHEN sent.payload ->> 'GlobalTaxCalculation' = 'TaxInclusive' THEN lines.count ELSE 1 END * 0.01
      AND (own.total <> lines.amount OR sent.payload ->> 'GlobalTaxCalculation' IS DISTINCT FROM 'TaxInclusive')
     THEN jsonb_build_object('reason', 'odd_total', 'label', 'Total', 'value', own.total,
                             'rule', 'is not what the lines and the tax add up to, ' || lines.amount + own.tax) END

-- no_lines --
CASE WHEN i.entity = ANY ({sales}) AND NOT sent.payload ? 'Line'
     THEN jsonb_build_object('reason', 'no_lines', 'label', 'Line',
                             'rule', 'is missing. A document without lines has an empty list: those in the CRM stay') END

-- currency --
-- A company that deals in one currency only need not say which, and of its documents some do not. To see that it deals in
-- several, a thousand customers are enough.
CASE WHEN sent.payload #>> '{{CurrencyRef,value}}' <> customer.currency
     THEN jsonb_build_object('reason', 'odd_currency', 'label', 'Currency', 'value', left(sent.payload #>> '{{CurrencyRef,value}}', 40),
                             'rule', 'is not that of the customer, ' || left(customer.currency, 40))
     WHEN sent.payload #>> '{{CurrencyRef,value}}' IS NULL
      AND customer.currency <> ANY (ARRAY (
          SELECT DISTINCT one.payload #>> '{{CurrencyRef,value}}'
            FROM (SELECT payload FROM quickbooks.record
                   WHERE realm = %(realm)s AND entity = 'Customer' ORDER BY id LIMIT 1000) AS one))
     THEN jsonb_build_object('reason', 'odd_currency', 'label', 'Currency',
                             'rule', 'is missing, and the customer has ' || left(customer.currency, 40)) END

-- rate --
CASE WHEN sync.amount(sent.payload -> 'ExchangeRate') <= 0
     THEN jsonb_build_object('reason', 'odd_rate', 'label', 'Exchange rate', 'value', sync.amount(sent.payload -> 'ExchangeRate'),
                             'rule', 'is no rate at which anything can be exchanged') END

-- word --
CASE WHEN i.entity = ANY ({entities}) AND nullif(sent.payload ->> {place}, '') <> ALL ({words}::text[])
     THEN jsonb_build_object('reason', 'unknown_word', 'label', {place}::text, 'value', left(sent.payload ->> {place}, 40),
                             'rule', 'is no word that QuickBooks is known to use there') END

-- told --
-- How many records of the run are odd, which are the first, and how many in which way; of all loads that a run has done.
WITH odd AS MATERIALIZED (
    SELECT DISTINCT outcome.entity, outcome.id, note ->> 'reason' AS reason
      FROM sync.outcome
     CROSS JOIN LATERAL jsonb_array_elements(outcome.details -> 'notes') AS note
     WHERE (realm, run_id, module) = (%(realm)s, %(run_id)s, %(module)s) AND outcome.outcome IN ('added', 'updated')
       AND note ->> 'reason' = ANY (%(reasons)s)
)
SELECT (SELECT count(DISTINCT (entity, id)) FROM odd),
       ARRAY (SELECT concat_ws(' ', entity, id) FROM odd GROUP BY entity, id ORDER BY sync.number_of(id), id, entity LIMIT %(shown)s),
       (SELECT jsonb_object_agg(reason, count) FROM (SELECT reason, count(*) AS count FROM odd GROUP BY reason) AS counted);
