-- A policy, a trigger or what a trigger calls may fail for one row: the row is refused, the others are not.

DROP FUNCTION sync.is_refusal(text);
CREATE FUNCTION sync.is_refusal(state text, context text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN state !~ '^(08|25|40|53|57|58|XX|55P03)' OR split_part(coalesce(context, ''), E'\n', 1) LIKE '%RAISE';
COMMENT ON FUNCTION sync.is_refusal IS
    'Whether an error of one row, of a statement that works for none, says that the table does not take it: whatever a trigger raises; else not what the server or a lock is at fault for.';
