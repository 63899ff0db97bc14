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

-- look --
ANALYZE (SKIP_LOCKED) {table};
