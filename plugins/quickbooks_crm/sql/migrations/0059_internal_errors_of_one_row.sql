-- An internal error (XX000) of one row is a refusal: it is what a trigger in PL/Python raises that names no SQLSTATE, and what
-- the input of some types does, such as hstore before PostgreSQL 16. A table or an index that is damaged is none.

CREATE OR REPLACE FUNCTION sync.is_refusal(state text, context text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN state !~ '^(08|25|40|53|57|58|XX(?!000)|55P03)' OR split_part(coalesce(context, ''), E'\n', 1) LIKE '%RAISE';
