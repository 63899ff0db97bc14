-- page_table --
CREATE TEMP TABLE page (
    entity     text,
    id         text,
    sync_token bigint,
    updated_at timestamptz,
    deleted    boolean,
    payload    jsonb
) ON COMMIT DROP;

-- copy_page --
COPY page (entity, id, sync_token, updated_at, deleted, payload) FROM STDIN;

-- merge_page --
-- Newest version wins, whatever the order of arrival: SyncToken first, then time, then what was read last.
-- A delete keeps the last known payload.
INSERT INTO quickbooks.record AS known (realm, entity, id, sync_token, updated_at, deleted, generation, payload)
SELECT DISTINCT ON (entity, id)
       %(realm)s, entity, id, sync_token, updated_at, deleted, %(generation)s, payload
  FROM page
 ORDER BY entity, id, deleted DESC, sync_token DESC, updated_at DESC NULLS LAST
ON CONFLICT (realm, entity, id) DO UPDATE
   SET sync_token = greatest(known.sync_token, excluded.sync_token),
       updated_at = coalesce(excluded.updated_at, known.updated_at),
       deleted    = excluded.deleted,
       generation = excluded.generation,
       payload    = CASE WHEN excluded.deleted THEN known.payload ELSE excluded.payload END
 WHERE CASE
       WHEN excluded.deleted
       THEN NOT known.deleted AND coalesce(excluded.updated_at >= known.updated_at, true)
       ELSE excluded.sync_token > known.sync_token
            OR (excluded.sync_token = known.sync_token
                AND coalesce(excluded.updated_at >= known.updated_at, true)
                AND (known.deleted OR excluded.payload IS DISTINCT FROM known.payload))
       END;

-- known_ids --
-- What the mirror holds of an entity and QuickBooks has not told to be deleted.
SELECT id FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted;

-- deleted_ids --
SELECT id FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = ANY (%(ids)s) AND deleted;

-- vanished --
-- Records that QuickBooks no longer has, though it never told of the delete.
UPDATE quickbooks.record
   SET deleted = true, generation = %(generation)s
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = ANY (%(ids)s) AND NOT deleted;

-- positions --
SELECT entity, changed_since, now() - changed_since AS age
  FROM sync.entity_position
 WHERE realm = %(realm)s AND entity = ANY (%(entities)s);

-- advance --
-- A clock that is ahead of ours must not move the position past changes that are still to come.
INSERT INTO sync.entity_position AS known (realm, entity, changed_since, full_read_at)
VALUES (%(realm)s, %(entity)s, least(%(changed_since)s, now()), now())
ON CONFLICT (realm, entity) DO UPDATE
   SET changed_since = greatest(known.changed_since, excluded.changed_since),
       full_read_at  = CASE WHEN %(whole)s THEN now() ELSE known.full_read_at END;
