-- leaving_table --
-- The CRM records that are to be removed, and why some of them stay.
CREATE TEMP TABLE leaving (
    table_name text,
    record_key text,
    kept       text,
    PRIMARY KEY (table_name, record_key)
) ON COMMIT DROP;

-- not_there --
DELETE FROM leaving
 WHERE table_name = %(table)s
   AND NOT EXISTS (SELECT FROM {table} AS current WHERE current.{key} = leaving.record_key::{key_type});

-- count_leaving --
ANALYZE leaving;

-- references_to --
-- The foreign keys that lead to a table, with the primary key of the table that each comes from, where that is one column.
SELECT f.conname::text, n.nspname::text, c.relname::text,
       ARRAY (SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS own (number, place)
                JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = own.number ORDER BY place) AS columns,
       ARRAY (SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY AS theirs (number, place)
                JOIN pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = theirs.number ORDER BY place) AS targets,
       (SELECT a.attname::text FROM pg_constraint AS p JOIN pg_attribute AS a ON a.attrelid = p.conrelid AND a.attnum = p.conkey[1]
         WHERE p.conrelid = f.conrelid AND p.contype = 'p' AND cardinality(p.conkey) = 1) AS key
  FROM pg_constraint AS f
  JOIN pg_class AS c ON c.oid = f.conrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE f.contype = 'f' AND f.conparentid = 0
   AND f.confrelid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text));

-- referenced --
-- Records stay that one refers to which itself stays.
UPDATE leaving
   SET kept = %(because)s
 WHERE kept IS NULL AND table_name = %(table)s
   AND EXISTS (SELECT FROM {table} AS own JOIN {other} AS other ON {joined}
                WHERE own.{key} = leaving.record_key::{key_type} AND NOT {leaves_too});

-- joined --
other.{column} = own.{target}

-- leaves_too --
EXISTS (SELECT FROM leaving AS too
         WHERE too.table_name = %(other)s AND too.record_key = other.{other_key}::text AND too.kept IS NULL)

-- stays --
false

-- remove_lines --
DELETE FROM {table} AS line USING leaving
 WHERE leaving.table_name = %(table)s AND leaving.kept IS NULL AND line.{parent}::text = leaving.record_key;

-- remove --
DELETE FROM {table} AS current USING leaving
 WHERE leaving.table_name = %(table)s AND leaving.kept IS NULL AND current.{key} = leaving.record_key::{key_type};

-- remove_its_lines --
DELETE FROM {table} AS line WHERE line.{parent}::text = candidate.record_key;

-- remove_row_by_row --
-- A record that stays keeps its lines. What the table says of it may be of a person, and is not kept.
DO $refusals$
DECLARE
    candidate record;
    context text;
    state text;
    broken text;
    quietly boolean;
BEGIN
    SELECT NULL::text AS record_key INTO candidate;
    {lines}
    DELETE FROM {table} AS current WHERE current.{key} = candidate.record_key::{key_type};
    FOR candidate IN SELECT record_key FROM leaving WHERE table_name = {name} AND kept IS NULL ORDER BY record_key LOOP
        BEGIN
            quietly := false;
            {lines}
            DELETE FROM {table} AS current WHERE current.{key} = candidate.record_key::{key_type};
            IF EXISTS (SELECT FROM {table} AS current WHERE current.{key} = candidate.record_key::{key_type}) THEN
                quietly := true;
                RAISE EXCEPTION USING MESSAGE = 'kept';
            END IF;
        EXCEPTION
            WHEN ASSERT_FAILURE OR QUERY_CANCELED OR OTHERS THEN
                GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                IF NOT sync.is_refusal(SQLSTATE, context) THEN
                    RAISE;
                END IF;
                GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, broken = CONSTRAINT_NAME;
                UPDATE leaving
                   SET kept = CASE WHEN quietly THEN 'a trigger of the table kept it'
                                   ELSE format('the table does not let it go (%s)', concat_ws(', ', state, nullif(broken, ''))) END
                 WHERE table_name = {name} AND record_key = candidate.record_key;
        END;
    END LOOP;
END $refusals$;

-- left --
-- Whether a trigger kept a record that was to leave.
SELECT EXISTS (SELECT FROM leaving
                 JOIN {table} AS current ON current.{key} = leaving.record_key::{key_type}
                WHERE leaving.table_name = %(table)s AND leaving.kept IS NULL);

-- removed --
SELECT table_name, count(*) FILTER (WHERE kept IS NULL), count(*) FILTER (WHERE kept IS NOT NULL)
  FROM leaving GROUP BY table_name ORDER BY table_name;

-- kept --
SELECT table_name, record_key, kept FROM leaving WHERE kept IS NOT NULL ORDER BY table_name, kept, record_key;
