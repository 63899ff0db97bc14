-- What Postgres knows of the CRM's tables.

-- is_unknown --
-- A table of some size that it has never looked at, or that is more than twice as large since. What a transaction that was
-- taken back has learned is forgotten, but for the size.
SELECT FROM pg_class AS known
  JOIN pg_namespace AS space ON space.oid = known.relnamespace
 CROSS JOIN LATERAL (
       SELECT pg_relation_size(known.oid) AS bytes,
              NOT EXISTS (SELECT FROM pg_stats AS seen
                           WHERE (seen.schemaname, seen.tablename) = (space.nspname, known.relname)) AS unseen) AS now
 WHERE (space.nspname, known.relname) = (%(schema)s, %(table)s)
   AND (known.relkind = 'p' AND unseen
        OR known.relkind = 'r' AND bytes > 65536
           AND (unseen OR bytes / current_setting('block_size')::int > 2 * known.relpages));

-- was_empty --
-- A table of some size that it has found empty: after rows were taken back, as those of a preview are. It goes on expecting none.
SELECT FROM pg_class AS known
  JOIN pg_namespace AS space ON space.oid = known.relnamespace
 WHERE (space.nspname, known.relname) = (%(schema)s, %(table)s)
   AND known.relkind = 'r' AND known.reltuples = 0 AND pg_relation_size(known.oid) > 65536;

-- look --
ANALYZE (SKIP_LOCKED) {table};
