-- Bringing all records of a module to the mapping in force.

-- due --
-- The module was loaded with another mapping, or a replay has begun to bring it to another: it stays as it is until a replay.
-- One to this mapping that was stopped still goes on where it was.
INSERT INTO sync.replay AS known (realm, module, mapping_hash, run_id)
SELECT %(realm)s, %(module)s, %(hash)s, %(run_id)s
  FROM sync.module_position AS position
  LEFT JOIN sync.replay AS begun ON (begun.realm, begun.module) = (position.realm, position.module)
 WHERE position.realm = %(realm)s AND position.module = %(module)s
   AND (position.mapping_hash <> %(hash)s OR begun.mapping_hash <> %(hash)s)
   AND EXISTS (SELECT FROM sync.link WHERE realm = %(realm)s AND module = %(module)s)
ON CONFLICT (realm, module) DO UPDATE
   SET mapping_hash = excluded.mapping_hash, run_id = excluded.run_id, due_since = now(),
       (after_linked, after_entity, after_id) = (
           SELECT known.after_linked, known.after_entity, known.after_id WHERE known.mapping_hash = excluded.mapping_hash);

-- is_due --
SELECT FROM sync.replay WHERE realm = %(realm)s AND module = %(module)s;

-- reached --
-- The last record that a replay to this mapping has brought, and whether that was one of the linked, which come first. Of one
-- that an earlier version has begun, which knew no linked ones, that is not said: it begins anew.
SELECT after_linked, after_entity, after_id
  FROM sync.replay
 WHERE realm = %(realm)s AND module = %(module)s AND mapping_hash = %(hash)s;

-- forget_order --
DROP TABLE IF EXISTS pg_temp.replaying;

-- order --
-- The records that are still to be brought, in the order of one load of all: first those that are a CRM record, so that what they
-- were called is free, and what they are called now is taken. Found once, not anew for each part of them. What has changed since
-- the module last loaded comes in any case.
CREATE TEMP TABLE replaying AS
SELECT row_number() OVER (ORDER BY NOT linked, number, id, entity) AS n, linked, entity, id
  FROM (SELECT record.entity, record.id, record.generation, sync.number_of(record.id) AS number, current.{key} IS NOT NULL AS linked
          FROM quickbooks.record AS record
          LEFT JOIN sync.link AS link ON (link.realm, link.entity, link.id, link.module)
                                       = (record.realm, record.entity, record.id, %(module)s)
          LEFT JOIN {table} AS current ON current.{key} = link.record_key::{key_type}
         WHERE record.realm = %(realm)s AND record.entity = ANY (%(entities)s)) AS record
 WHERE %(linked)s::boolean IS NULL OR generation > %(position)s
    OR (NOT linked, number, id, entity) > (NOT %(linked)s::boolean, sync.number_of(%(id)s::text), %(id)s::text, %(entity)s::text);

-- order_index --
ALTER TABLE replaying ADD PRIMARY KEY (n);

-- order_statistics --
ANALYZE replaying;

-- brought --
-- A slice is in the CRM, with all before it.
INSERT INTO sync.replay (realm, module, mapping_hash, run_id, after_linked, after_entity, after_id)
SELECT %(realm)s, %(module)s, %(hash)s, %(run_id)s, linked, entity, id
  FROM replaying
 WHERE n <= %(until)s ORDER BY n DESC LIMIT 1
ON CONFLICT (realm, module) DO UPDATE
   SET mapping_hash = excluded.mapping_hash, run_id = excluded.run_id, after_linked = excluded.after_linked,
       after_entity = excluded.after_entity, after_id = excluded.after_id;

-- done --
DELETE FROM sync.replay WHERE realm = %(realm)s AND module = %(module)s;

-- begin_anew --
-- An undo has brought records back as an earlier mapping had made them: the turn of some may be over.
UPDATE sync.replay SET (after_linked, after_entity, after_id) = ROW (NULL, NULL, NULL)
 WHERE realm = %(realm)s AND module = %(module)s;

-- linked --
SELECT count(*) FROM sync.link WHERE realm = %(realm)s AND module = %(module)s;
