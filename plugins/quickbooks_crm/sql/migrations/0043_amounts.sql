-- Amounts as QuickBooks sends them.

CREATE FUNCTION sync.amount(value jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE jsonb_typeof(value) WHEN 'number' THEN value::numeric WHEN 'string' THEN sync.amount(value #>> '{}') END;
COMMENT ON FUNCTION sync.amount(jsonb) IS
    'A number, or a text as an amount; NULL when it is none. Not STRICT: Postgres puts it into the statement that calls it.';
