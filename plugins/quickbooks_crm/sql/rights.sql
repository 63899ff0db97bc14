-- Rights of the login on what is not a mapped table, told before anything needs them.

-- lacking --
-- What the login may not do of all that is needed: the right, the table, the columns where it is not the whole of it. What is
-- not there at all is told elsewhere.
SELECT need.of_right, need.name, missing.columns
  FROM jsonb_to_recordset(%(needs)s::jsonb)
       AS need (of_right text, schema_name text, table_name text, name text, columns text[])
  JOIN pg_namespace AS n ON n.nspname = need.schema_name
  JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = need.table_name
 CROSS JOIN LATERAL (
       SELECT ARRAY (SELECT a.attname::text
                       FROM unnest(need.columns) WITH ORDINALITY AS wanted (name, place)
                       JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = wanted.name AND NOT a.attisdropped
                      WHERE NOT has_column_privilege(c.oid, a.attnum, need.of_right)
                      ORDER BY wanted.place) AS columns) AS missing
 WHERE CASE WHEN cardinality(need.columns) = 0 THEN NOT has_table_privilege(c.oid, need.of_right)
            ELSE cardinality(missing.columns) > 0 END
    OR NOT has_schema_privilege(n.oid, 'USAGE');

-- done --
-- How records of each module ended in a run.
SELECT module, array_agg(DISTINCT outcome) FROM sync.outcome
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND outcome IN ('added', 'updated', 'removed')
 GROUP BY module;
