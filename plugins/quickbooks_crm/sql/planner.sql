-- What Postgres knows of the CRM's tables.

-- is_unknown --
-- A table of some size that it has never looked at, or that is more than twice as large since. What a transaction that was
-- taken back has learned is forgotten, but for the size.
SELECT FROM pg_class AS known
  JOIN pg_namespace AS space ON space.oid = known.relnamespace
 WHERE (space.nspname, known.relname) = (%(schema)s, %(table)s)
   AND (known.relkind = 'r' AND pg_relation_size(known.oid) > 65536
        AND pg_relation_size(known.oid) / current_setting('block_size')::int > 2 * known.relpages
        OR known.relkind IN ('r', 'p') AND (known.relkind = 'p' OR pg_relation_size(known.oid) > 65536)
           AND NOT EXISTS (SELECT FROM pg_stats AS seen
                            WHERE (seen.schemaname, seen.tablename) = (%(schema)s, %(table)s)));

-- look --
ANALYZE (SKIP_LOCKED) {table};
