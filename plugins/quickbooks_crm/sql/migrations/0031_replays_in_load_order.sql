-- A replay takes records in the order in which a load does. What an unfinished one has brought by another order is brought
-- again: that changes nothing.

CREATE FUNCTION sync.number_of(id text) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN id ~ '^[0-9]+$' THEN id::numeric ELSE 'Infinity' END;
COMMENT ON FUNCTION sync.number_of IS 'A QuickBooks id as a number, by which records win against each other; one that is none comes after all that are.';

UPDATE sync.replay SET after_entity = NULL, after_id = NULL;
