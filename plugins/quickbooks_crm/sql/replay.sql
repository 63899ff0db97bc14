-- Bringing all records of a module to the mapping in force.

-- due --
-- The module was loaded with another mapping: what that loaded stays as it is until a replay.
INSERT INTO sync.replay AS known (realm, module, mapping_hash, run_id)
SELECT %(realm)s, %(module)s, %(hash)s, %(run_id)s
  FROM sync.module_position AS position
 WHERE position.realm = %(realm)s AND position.module = %(module)s AND position.mapping_hash <> %(hash)s
   AND EXISTS (SELECT FROM sync.link WHERE realm = %(realm)s AND module = %(module)s)
ON CONFLICT (realm, module) DO UPDATE
   SET mapping_hash = excluded.mapping_hash, run_id = excluded.run_id, due_since = now(),
       after_entity = NULL, after_id = NULL;

-- is_due --
SELECT FROM sync.replay WHERE realm = %(realm)s AND module = %(module)s;

-- begin --
-- Where a replay with this mapping goes on: after the last record that an earlier one has brought.
INSERT INTO sync.replay AS known (realm, module, mapping_hash, run_id)
VALUES (%(realm)s, %(module)s, %(hash)s, %(run_id)s)
ON CONFLICT (realm, module) DO UPDATE
   SET mapping_hash = excluded.mapping_hash, run_id = excluded.run_id,
       after_entity = CASE WHEN known.mapping_hash = excluded.mapping_hash THEN known.after_entity END,
       after_id = CASE WHEN known.mapping_hash = excluded.mapping_hash THEN known.after_id END
RETURNING after_entity, after_id;

-- forget_order --
DROP TABLE IF EXISTS pg_temp.replaying;

-- order --
-- The records that are still to be brought, in the order of a load; found once, not anew for each part of them.
CREATE TEMP TABLE replaying AS
SELECT row_number() OVER (ORDER BY sync.number_of(id), id, entity) AS n, entity, id
  FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = ANY (%(entities)s)
   AND (%(after_id)s::text IS NULL
        OR (sync.number_of(id), id, entity) > (sync.number_of(%(after_id)s::text), %(after_id)s::text, %(after_entity)s::text));

-- order_index --
ALTER TABLE replaying ADD PRIMARY KEY (n);

-- order_statistics --
ANALYZE replaying;

-- slice_end --
-- The last record of the next slice; none when there is none left.
SELECT n, entity, id FROM replaying WHERE n > %(after)s AND n <= %(after)s + %(size)s ORDER BY n DESC LIMIT 1;

-- brought --
UPDATE sync.replay SET after_entity = %(entity)s, after_id = %(id)s
 WHERE realm = %(realm)s AND module = %(module)s;

-- done --
DELETE FROM sync.replay WHERE realm = %(realm)s AND module = %(module)s;

-- linked --
SELECT count(*) FROM sync.link WHERE realm = %(realm)s AND module = %(module)s;
