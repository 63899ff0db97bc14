-- What may be kept of a record when the people in it are erased.

CREATE FUNCTION sync.without_keys(value jsonb, keys text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(value) = 'array' THEN
        RETURN coalesce((SELECT jsonb_agg(sync.without_keys(item, keys) ORDER BY place)
                           FROM jsonb_array_elements(value) WITH ORDINALITY AS of (item, place)), '[]');
    ELSIF jsonb_typeof(value) = 'object' THEN
        RETURN coalesce((SELECT jsonb_object_agg(key, sync.without_keys(item, keys))
                           FROM jsonb_each(value - keys) AS of (key, item)), '{}');
    END IF;
    RETURN value;
END $$;
COMMENT ON FUNCTION sync.without_keys IS 'A record without these keys, however deep they are.';

CREATE OR REPLACE FUNCTION sync.without_names(value jsonb, keys text[], ids text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF jsonb_typeof(value) = 'array' THEN
        RETURN coalesce((SELECT jsonb_agg(sync.without_names(item, keys, ids) ORDER BY place)
                           FROM jsonb_array_elements(value) WITH ORDINALITY AS of (item, place)), '[]');
    ELSIF jsonb_typeof(value) = 'object' THEN
        RETURN coalesce((SELECT jsonb_object_agg(key, CASE
                   WHEN key = ANY (keys) AND jsonb_typeof(item) = 'object' AND item ? 'name' AND item ->> 'value' = ANY (ids)
                   THEN item || '{"name": "Erased on request"}'
                   ELSE sync.without_names(item, keys, ids) END)
                   FROM jsonb_each(value) AS of (key, item)), '{}');
    END IF;
    RETURN value;
END $$;
COMMENT ON FUNCTION sync.without_names IS 'A record in which references under these keys to these ids name nobody any more.';

CREATE OR REPLACE FUNCTION sync.without_person(of_entity text, payload jsonb, of_person boolean, keys text[], ids text[])
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN of_person AND of_entity IN ('Customer', 'Vendor', 'Employee')
    THEN sync.without_keys(
             sync.only(payload, '{Id,SyncToken,MetaData,Active,domain,sparse,Balance,BalanceWithJobs,CurrencyRef,ParentRef}'),
             '{name}')
    WHEN of_person
    THEN sync.without_names(
             sync.without_keys(
                 sync.only(payload, '{Id,SyncToken,MetaData,domain,sparse,TxnDate,DueDate,ExpirationDate,DocNumber,TxnStatus,'
                     'TotalAmt,HomeTotalAmt,Balance,HomeBalance,UnappliedAmt,Deposit,CurrencyRef,ExchangeRate,TxnTaxDetail,'
                     'GlobalTaxCalculation,ApplyTaxAfterDiscount,CustomerRef,VendorRef,EmployeeRef,SalesTermRef,'
                     'PaymentMethodRef,DepositToAccountRef,ClassRef,DepartmentRef,LinkedTxn,Line}'),
                 '{Description}'),
             keys, ids)
         || CASE WHEN payload ->> 'PrivateNote' ILIKE 'voided%' THEN '{"PrivateNote": "Voided"}' ELSE '{}' END::jsonb
    WHEN payload -> 'ParentRef' ->> 'value' = ANY (ids)
    THEN sync.without_names(payload, keys, ids) - 'FullyQualifiedName'
    ELSE sync.without_names(payload, keys, ids)
    END;

CREATE FUNCTION sync.erased_keys() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '{CustomerRef,ParentRef,JobRef,VendorRef,EmployeeRef,EntityRef,PayeeEntityRef}'::text[];
COMMENT ON FUNCTION sync.erased_keys IS 'Under which names QuickBooks refers to a customer, vendor or employee.';

CREATE FUNCTION sync.is_of(payload jsonb, entities text[], ids text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN EXISTS (
    SELECT FROM unnest(entities, ids) AS erased (entity, id)
     WHERE payload -> (CASE erased.entity WHEN 'Customer' THEN 'CustomerRef' WHEN 'Vendor' THEN 'VendorRef'
                       ELSE 'EmployeeRef' END) ->> 'value' = erased.id
        OR payload #>> '{EntityRef,value}' = erased.id);
COMMENT ON FUNCTION sync.is_of IS 'Whether a document is one of these people''s.';
