-- What triggers make of records that were written already.

-- triggers --
-- Whether a table, or one behind it, has triggers that come after a row, or all of them, was written.
SELECT EXISTS (SELECT FROM pg_trigger
                WHERE tgrelid = ANY (ARRAY (SELECT sync.tables_of(%(schema)s, %(name)s)))
                  AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype::integer & 66 = 0);

-- tell --
UPDATE incoming
   SET after = told.after,
       outcome = CASE WHEN outcome = 'updated' AND before = told.after THEN 'unchanged' ELSE outcome END
  FROM (SELECT i.n, i.after || held.image AS after
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT {image} AS image FROM {table} AS current WHERE current.{key} = i.record_key::{key_type} LIMIT 1) AS held
         WHERE i.outcome IN ('added', 'updated')) AS told
 WHERE told.n = incoming.n AND told.after <> incoming.after;
