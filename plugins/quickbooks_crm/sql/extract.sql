-- do_not_wait --
SELECT set_config('synchronous_commit', 'off', true);

-- has_any --
SELECT 1 FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s LIMIT 1;

-- digests --
-- What the mirror knows of these records; no digest means: look closer.
SELECT id, CASE WHEN deleted THEN NULL ELSE digest END
  FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = ANY (%(ids)s);

-- copy_new --
-- Straight into the mirror: fails when another connection brings the same record.
COPY quickbooks.record (realm, generation, entity, id, sync_token, updated_at, deleted, digest, payload) FROM STDIN;

-- page_table --
CREATE TEMP TABLE page (
    entity     text,
    id         text,
    sync_token bigint,
    updated_at timestamptz,
    deleted    boolean,
    digest     bigint,
    payload    jsonb
) ON COMMIT DROP;

-- copy_page --
COPY page (entity, id, sync_token, updated_at, deleted, digest, payload) FROM STDIN;

-- merge_page --
-- Newest version wins, whatever the order of arrival: SyncToken first, then time, then what was read last.
-- A delete keeps the last known payload, and what comes only in part (sparse) all that it does not speak of.
INSERT INTO quickbooks.record AS known (realm, entity, id, sync_token, updated_at, deleted, generation, digest, payload)
SELECT DISTINCT ON (entity, id)
       %(realm)s, entity, id, sync_token, updated_at, deleted, %(generation)s, digest, payload
  FROM page
 ORDER BY entity, id, deleted DESC, sync_token DESC, updated_at DESC NULLS LAST
ON CONFLICT (realm, entity, id) DO UPDATE
   SET sync_token = greatest(known.sync_token, excluded.sync_token),
       updated_at = coalesce(excluded.updated_at, known.updated_at),
       deleted    = excluded.deleted,
       generation = excluded.generation,
       digest     = CASE WHEN excluded.deleted THEN known.digest ELSE excluded.digest END,
       payload    = CASE WHEN excluded.deleted THEN known.payload
                         WHEN excluded.payload -> 'sparse' = 'true' THEN known.payload || excluded.payload
                         ELSE excluded.payload END
 WHERE CASE
       WHEN excluded.deleted
       THEN NOT known.deleted AND coalesce(excluded.updated_at >= known.updated_at, true)
       ELSE excluded.sync_token > known.sync_token
            OR (excluded.sync_token = known.sync_token
                AND coalesce(excluded.updated_at >= known.updated_at, true)
                AND (known.deleted OR excluded.payload IS DISTINCT FROM known.payload))
       END;

-- page_done --
DROP TABLE pg_temp.page;

-- last_stored --
SELECT payload::text FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s AND id = %(id)s;

-- known_ids --
-- What the mirror holds of an entity and QuickBooks has not told to be deleted.
SELECT id FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted;

-- held --
SELECT id, CASE WHEN deleted THEN 'deleted' ELSE 'alive' END
  FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = ANY (%(ids)s);

-- vanished --
-- Records that QuickBooks no longer has, though it never told of the delete.
UPDATE quickbooks.record
   SET deleted = true, generation = %(generation)s
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = ANY (%(ids)s) AND NOT deleted;

-- alive --
SELECT count(*) FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted;

-- created_until --
-- No number where one of them does not tell when it was created: QuickBooks, which knows, would count it.
SELECT CASE WHEN count(*) = count(created) THEN count(*) FILTER (WHERE created <= date_trunc('second', %(until)s)) END
  FROM (SELECT sync.moment(payload #>> '{MetaData,CreateTime}') AS created
          FROM quickbooks.record
         WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted) AS alive;

-- remember_page --
INSERT INTO sync.page_read (realm, entity, start, "end", head, tail, ids, time)
VALUES (%(realm)s, %(entity)s, %(start)s, %(end)s, %(head)s, %(tail)s, %(ids)s, %(time)s)
ON CONFLICT (realm, entity, start) DO UPDATE
   SET "end" = excluded."end", head = excluded.head, tail = excluded.tail, ids = excluded.ids,
       time = excluded.time, read_at = now();

-- pages_read --
SELECT entity, start, "end", head, tail, ids, time
  FROM sync.page_read
 WHERE realm = %(realm)s AND entity = %(entity)s
 ORDER BY start;

-- forget_old_pages --
-- Also those on which QuickBooks' clock is so far back that it would not tell what changed since.
DELETE FROM sync.page_read
 WHERE realm = %(realm)s AND entity = %(entity)s
   AND (read_at < now() - interval '1 day' OR time < now() - interval '28 days');

-- forget_pages --
DELETE FROM sync.page_read WHERE realm = %(realm)s AND entity = %(entity)s;

-- positions --
-- Where each entity stands, how old that is, and how long ago the entity was last read wholly.
SELECT entity, changed_since, now() - changed_since AS age, now() - full_read_at AS unread
  FROM sync.entity_position
 WHERE realm = %(realm)s AND entity = ANY (%(entities)s);

-- advance --
-- A clock that is ahead of ours must not move the position past changes that are still to come.
INSERT INTO sync.entity_position AS known (realm, entity, changed_since, full_read_at)
VALUES (%(realm)s, %(entity)s, least(%(changed_since)s, now()), now())
ON CONFLICT (realm, entity) DO UPDATE
   SET changed_since = greatest(known.changed_since, excluded.changed_since),
       full_read_at  = CASE WHEN %(whole)s THEN now() ELSE known.full_read_at END;
