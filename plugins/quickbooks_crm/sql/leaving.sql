-- realm_of_company --
-- The company of QuickBooks that one of our companies is, whether or not its file and connection are still there.
SELECT realm FROM sync.company WHERE company = %(company)s
UNION
SELECT realm FROM sync.lease WHERE company = %(company)s
LIMIT 1;

-- last_loads --
-- The run that was the last to load each module: no preview, and no undo, which goes by the mappings of the run that it undoes.
SELECT DISTINCT ON (module) module, run_id
  FROM sync.activity
  JOIN sync.run USING (realm, run_id)
 WHERE realm = %(realm)s AND kind NOT IN ('preview', 'undo')
 ORDER BY module, loaded_at DESC;

-- take_linked --
-- The CRM records of a module that no other company's records are. These are looked up one by one (OFFSET 0): of a database with
-- one company Postgres expects none, and would go through all links for each record.
INSERT INTO leaving (table_name, record_key)
SELECT %(table)s, link.record_key
  FROM sync.link AS link
 WHERE link.realm = %(realm)s AND link.module = %(module)s
   AND NOT EXISTS (SELECT FROM sync.link AS other
                     JOIN sync.module_position AS place ON (place.realm, place.module) = (other.realm, other.module)
                    WHERE other.record_key = link.record_key AND other.realm <> link.realm AND place.target = %(table)s
                    OFFSET 0)
ON CONFLICT DO NOTHING;

-- linked --
SELECT count(*) FROM sync.link WHERE realm = %(realm)s AND module = %(module)s;

-- flag --
UPDATE {table} AS current
   SET ({columns}) = ROW ({new_columns})
  FROM jsonb_to_record(%(flags)s) AS new ({record})
 WHERE current.{key}::text IN (SELECT record_key FROM leaving WHERE table_name = %(table)s)
   AND EXISTS (SELECT FROM sync.link WHERE (link.realm, link.module, link.record_key)
                                         = (%(realm)s, %(module)s, current.{key}::text));

-- new_flag --
new.{column}

-- tables_of_companies --
-- The tables that hold what belongs to a company, each with those that must be emptied after it.
SELECT n.nspname::text, c.relname::text,
       ARRAY (SELECT f.confrelid::regclass::text FROM pg_constraint AS f
               WHERE f.contype = 'f' AND f.conrelid = c.oid AND f.confrelid <> c.oid) AS refers,
       c.oid::regclass::text AS name
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname IN ('sync', 'quickbooks') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND a.attname = 'realm' AND NOT a.attisdropped
   AND c.relname <> ALL (%(kept)s::text[])
 ORDER BY c.relname;

-- forget --
DELETE FROM {table} WHERE realm = %(realm)s;
