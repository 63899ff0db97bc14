-- begin --
DROP TABLE IF EXISTS pg_temp.stand_in_changed, pg_temp.stand_in_start, pg_temp.stand_in_end, pg_temp.stand_in_again;
CREATE TEMP TABLE stand_in_start (id text PRIMARY KEY) ON COMMIT DROP;
CREATE TEMP TABLE stand_in_end (id text PRIMARY KEY, via text NOT NULL, stands_for text) ON COMMIT DROP;
CREATE TEMP TABLE stand_in_changed (module text, entity text, id text, PRIMARY KEY (module, entity, id)) ON COMMIT DROP;
CREATE TEMP TABLE stand_in_again (entity text, id text, PRIMARY KEY (entity, id)) ON COMMIT DROP;

-- remember --
-- What webhooks tell of merges, kept longer than they are. Told in whatever order and however often, the latest counts.
INSERT INTO sync.merge AS known (realm, entity, loser, survivor, told_by, told_at)
SELECT DISTINCT ON (own.entity, event.merged_id)
       event.realm, own.entity, event.merged_id, event.id, 'webhook', coalesce(event.occurred_at, event.received_at)
  FROM sync.webhook_event AS event
  JOIN unnest(%(entities)s::text[]) AS own (entity) ON lower(own.entity) = event.entity
 WHERE event.realm = %(realm)s AND event.operation IN ('merge', 'merged')
   AND event.merged_id IS NOT NULL AND event.merged_id <> event.id
 ORDER BY own.entity, event.merged_id, coalesce(event.occurred_at, event.received_at) DESC
ON CONFLICT (realm, entity, loser) DO UPDATE
   SET survivor = excluded.survivor, told_by = excluded.told_by, told_at = excluded.told_at, taken_back_at = NULL
 WHERE excluded.told_at > known.told_at;

-- tell --
INSERT INTO sync.merge (realm, entity, loser, survivor, told_by)
VALUES (%(realm)s, %(entity)s, %(loser)s, %(survivor)s, %(by_whom)s)
ON CONFLICT (realm, entity, loser) DO UPDATE
   SET survivor = excluded.survivor, told_by = excluded.told_by, told_at = excluded.told_at, taken_back_at = NULL;

-- take_back --
-- It stays known, so that what it has changed is found and brought back.
UPDATE sync.merge SET taken_back_at = now()
 WHERE (realm, entity, loser, survivor) = (%(realm)s, %(entity)s, %(loser)s, %(survivor)s) AND taken_back_at IS NULL;

-- state --
SELECT sync.state_in_quickbooks(deleted, payload) FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = %(id)s;

-- next --
TRUNCATE stand_in_start, stand_in_end;

-- touched --
-- Records that may mean another one than before: merged ones, changed ones, and all where the mapping has changed.
INSERT INTO stand_in_start (id)
SELECT loser FROM sync.merge WHERE realm = %(realm)s AND entity = %(entity)s
 UNION
SELECT record.id
  FROM sync.generation AS written
  JOIN quickbooks.record AS record ON record.generation = written.generation AND record.entity = %(entity)s
 WHERE written.realm = %(realm)s
   AND written.generation > coalesce((SELECT generation FROM sync.module_position
                                       WHERE realm = %(realm)s AND module = %(module)s), 0)
   AND record.realm = %(realm)s
   AND (%(rolls_up)s AND record.payload #>> '{ParentRef,value}' <> '' OR EXISTS (SELECT FROM sync.stand_in WHERE (realm, module, entity, id)
                                                              = (%(realm)s, %(module)s, %(entity)s, record.id)))
 UNION
SELECT id FROM sync.stand_in
 WHERE realm = %(realm)s AND module = %(module)s AND entity = %(entity)s
   AND NOT EXISTS (SELECT FROM sync.module_position
                    WHERE realm = %(realm)s AND module = %(module)s AND mapping_hash = %(hash)s)
 UNION
SELECT id FROM quickbooks.record
 WHERE %(rolls_up)s AND realm = %(realm)s AND entity = %(entity)s AND payload #>> '{ParentRef,value}' <> ''
   AND NOT EXISTS (SELECT FROM sync.module_position
                    WHERE realm = %(realm)s AND module = %(module)s AND mapping_hash = %(hash)s);

-- below --
-- Records whose way leads over one of these.
WITH RECURSIVE below (id) AS (
    SELECT id FROM stand_in_start
     UNION
    SELECT known.id FROM below
      JOIN sync.stand_in AS known
        ON (known.via, known.entity, known.module, known.realm) = (below.id, %(entity)s, %(module)s, %(realm)s)
)
INSERT INTO stand_in_start (id) SELECT id FROM below ON CONFLICT DO NOTHING;

-- walk --
-- From each one to its survivor or parent, and on, until there is none; a way that comes back to where it was leads nowhere.
WITH RECURSIVE way (id, at, via, steps, passed, circle) AS (
    SELECT id, id, NULL::text, 0, ARRAY[id], false FROM stand_in_start
     UNION ALL
    SELECT way.id, next.id, coalesce(way.via, next.id), way.steps + 1, way.passed || next.id, next.id = ANY (way.passed)
      FROM way
     CROSS JOIN LATERAL (
           SELECT coalesce(
                  (SELECT survivor FROM sync.merged_away
                    WHERE (realm, entity, loser) = (%(realm)s, %(entity)s, way.at)),
                  (SELECT nullif(payload #>> '{ParentRef,value}', '') FROM quickbooks.record
                    WHERE %(rolls_up)s AND (realm, entity, id) = (%(realm)s, %(entity)s, way.at))) AS id) AS next
     WHERE next.id IS NOT NULL AND NOT way.circle
)
INSERT INTO stand_in_end (id, via, stands_for)
SELECT DISTINCT ON (id) id, via, CASE WHEN NOT circle THEN at END
  FROM way
 WHERE steps > 0
 ORDER BY id, steps DESC;

-- note_gone --
INSERT INTO stand_in_changed (module, entity, id)
SELECT %(module)s::text, %(entity)s::text, known.id
  FROM stand_in_start
  JOIN sync.stand_in AS known
    ON (known.realm, known.module, known.entity, known.id) = (%(realm)s, %(module)s, %(entity)s, stand_in_start.id)
  LEFT JOIN stand_in_end ON stand_in_end.id = known.id
 WHERE known.stands_for IS DISTINCT FROM stand_in_end.stands_for;

-- note_new --
INSERT INTO stand_in_changed (module, entity, id)
SELECT %(module)s::text, %(entity)s::text, id
  FROM stand_in_end
 WHERE NOT EXISTS (SELECT FROM sync.stand_in AS known
                    WHERE (known.realm, known.module, known.entity, known.id)
                        = (%(realm)s, %(module)s, %(entity)s, stand_in_end.id));

-- gone --
DELETE FROM sync.stand_in AS known
 USING stand_in_start
 WHERE (known.realm, known.module, known.entity, known.id) = (%(realm)s, %(module)s, %(entity)s, stand_in_start.id)
   AND NOT EXISTS (SELECT FROM stand_in_end WHERE stand_in_end.id = known.id);

-- new --
INSERT INTO sync.stand_in (realm, module, entity, id, via, stands_for)
SELECT %(realm)s, %(module)s, %(entity)s, id, via, stands_for FROM stand_in_end
ON CONFLICT (realm, module, entity, id) DO UPDATE SET via = excluded.via, stands_for = excluded.stands_for
 WHERE (stand_in.via, stand_in.stands_for) IS DISTINCT FROM (excluded.via, excluded.stands_for);

-- moving --
-- Rows of a load that are not the CRM record any more that they were: the one that a person has deleted, or of which they were
-- a duplicate. Before a module's first load there are none.
INSERT INTO sync.moved (realm, module, entity, id)
SELECT %(realm)s, %(module)s, i.entity, i.id
  FROM incoming AS i
 CROSS JOIN LATERAL (
       SELECT record_key FROM sync.target
        WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) AS meant
 WHERE EXISTS (SELECT FROM sync.module_position WHERE realm = %(realm)s AND module = %(module)s)
   AND NOT i.linked
   AND meant.record_key IS DISTINCT FROM CASE WHEN i.outcome = 'duplicate' THEN i.collides_with ELSE i.record_key END
ON CONFLICT DO NOTHING;

-- moved --
-- Records that are another CRM record now, or are tried again by this run, and those for which they stand in. While they are
-- none, what refers to them stays where it is.
WITH moved AS (
    DELETE FROM sync.moved
     WHERE ctid = ANY (ARRAY (
           SELECT own.ctid
             FROM sync.moved AS own
            CROSS JOIN LATERAL (
                  SELECT FROM sync.target
                   WHERE (realm, module, entity, id) = (own.realm, own.module, own.entity, own.id)
                   UNION ALL
                  SELECT FROM sync.held
                   WHERE (realm, module, entity, id) = (own.realm, own.module, own.entity, own.id) AND due LIMIT 1) AS found
            WHERE own.realm = %(realm)s))
 RETURNING realm, module, entity, id
)
INSERT INTO stand_in_changed (module, entity, id)
SELECT module, entity, id FROM moved
 UNION
SELECT known.module, known.entity, known.id
  FROM moved
  JOIN sync.stand_in AS known
    ON (known.realm, known.module, known.entity, known.stands_for) = (moved.realm, moved.module, moved.entity, moved.id)
ON CONFLICT DO NOTHING;

-- one_changed --
INSERT INTO stand_in_changed (module, entity, id) VALUES (%(module)s, %(entity)s, %(id)s) ON CONFLICT DO NOTHING;

-- losers --
-- Records that were merged away, or are not any more, where the CRM does not know it yet. What is held back, unless its mode leaves it alone, cannot come in,
-- or a person has undone it: that stays so until the record or its cause changes, and then it is read anyway.
INSERT INTO stand_in_again (entity, id)
SELECT DISTINCT link.entity, link.id
  FROM sync.merge AS told
  JOIN sync.link AS link ON (link.realm, link.entity, link.id) = (told.realm, told.entity, told.loser)
  LEFT JOIN sync.merged_away AS merged
    ON (merged.realm, merged.entity, merged.loser) = (told.realm, told.entity, told.loser)
 WHERE told.realm = %(realm)s
   AND (merged.loser IS NOT NULL AND link.state = 'inactive' OR merged.loser IS NULL AND link.state = 'merged')
   AND NOT EXISTS (SELECT FROM sync.held
                    WHERE (realm, module, entity, id) = (link.realm, link.module, link.entity, link.id)
                      AND reason <> 'key_known');

-- means_changed --
({value}) IN (SELECT id FROM stand_in_changed WHERE module = {module} AND entity = {entity})

-- in_a_line --
EXISTS (SELECT FROM sync.lines(record.payload -> {list}) AS line WHERE {condition})

-- referring --
-- Those that are not to be loaded anyway, but for what a person has undone.
INSERT INTO stand_in_again (entity, id)
SELECT record.entity, record.id
  FROM quickbooks.record AS record
 WHERE EXISTS (SELECT FROM stand_in_changed)
   AND record.realm = %(realm)s AND record.entity = ANY (%(entities)s)
   AND record.generation <= (SELECT generation FROM sync.module_position WHERE realm = %(realm)s AND module = %(module)s)
   AND ({condition})
   AND NOT EXISTS (SELECT FROM sync.held
                    WHERE (realm, module, entity, id) = (record.realm, %(module)s, record.entity, record.id) AND reason = 'undone')
ON CONFLICT DO NOTHING;

-- count_again --
SELECT count(*) FROM quickbooks.record AS record
 WHERE record.realm = %(realm)s AND record.entity = ANY (%(entities)s) AND NOT record.deleted AND ({condition});

-- found --
SELECT count(*) FROM stand_in_again;

-- pass_over --
-- What a person has undone stays so in its module when the record comes again for another one, and has not changed.
UPDATE sync.held AS held
   SET passed_over = %(generation)s
  FROM {again} AS again
  JOIN quickbooks.record AS record ON record.realm = %(realm)s AND (record.entity, record.id) = (again.entity, again.id)
 WHERE (held.realm, held.entity, held.id) = (%(realm)s, again.entity, again.id)
   AND held.reason = 'undone'
   AND (record.generation = held.passed_over
        OR record.generation <= (SELECT position.generation FROM sync.module_position AS position
                                  WHERE (position.realm, position.module) = (%(realm)s, held.module)));

-- again --
UPDATE quickbooks.record AS record
   SET generation = %(generation)s
  FROM stand_in_again AS again
 WHERE (record.realm, record.entity, record.id) = (%(realm)s, again.entity, again.id);

-- follow --
UPDATE sync.staged AS row
   SET refs = row.refs || meant.refs
  FROM (SELECT staged.entity, staged.id,
               jsonb_object_agg(ref.key, ref.value || jsonb_build_object('id', own.stands_for)) AS refs
          FROM sync.staged
         CROSS JOIN LATERAL jsonb_each(staged.refs) AS ref
          JOIN sync.stand_in AS own
            ON (own.realm, own.module, own.entity, own.id)
             = (%(realm)s, ref.value ->> 'module', ref.value ->> 'entity', ref.value ->> 'id')
         WHERE staged.realm = %(realm)s AND staged.run_id = %(run_id)s AND staged.module = %(module)s
           AND EXISTS (SELECT FROM sync.stand_in WHERE realm = %(realm)s)
           AND jsonb_typeof(ref.value) = 'object' AND own.stands_for IS NOT NULL
         GROUP BY staged.entity, staged.id) AS meant
 WHERE EXISTS (SELECT FROM sync.stand_in WHERE realm = %(realm)s)
   AND row.realm = %(realm)s AND row.run_id = %(run_id)s AND row.module = %(module)s
   AND (row.entity, row.id) = (meant.entity, meant.id);
