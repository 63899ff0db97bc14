-- What is known of the records of an undo becomes what it was: links, what was unlinked, open references, conflicts, what is
-- held back.

-- parked_off --
-- A reference that the run closed, and that is open again for a newer version which the table refused, stays so.
DELETE FROM sync.parked
 USING undoing AS u
 WHERE (parked.realm, parked.module, parked.entity, parked.id) = (%(realm)s, %(module)s, u.entity, u.id)
   AND u.outcome <> 'kept'
   AND (NOT u.partial
        OR parked.field = ANY (u.waits_for)
           AND (parked.field <> ALL (u.reopened) OR parked.run_id = %(undone)s
                OR EXISTS (SELECT FROM sync.former
                            WHERE (realm, run_id, module, kind, entity, id, field)
                                = (%(realm)s, %(undone)s, %(module)s, 'parked', u.entity, u.id, parked.field)
                              AND to_jsonb(parked.*) @> (became - 'tried'))));

-- parked_back --
-- Also written down, so that an undo of this undo knows which references it has opened again.
WITH back AS (
    INSERT INTO sync.parked
    SELECT was.*
      FROM undoing AS u
      JOIN sync.former AS former
        ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id)
         = (%(realm)s, %(undone)s, %(module)s, 'parked', u.entity, u.id)
     CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.parked, former.was) AS was
     WHERE u.outcome <> 'kept' AND former.was IS NOT NULL AND (NOT u.partial OR former.field = ANY (u.waits_for))
    ON CONFLICT DO NOTHING
 RETURNING parked.*
)
INSERT INTO sync.former AS known (realm, run_id, module, kind, entity, id, field, became)
SELECT %(realm)s, %(run_id)s, %(module)s, 'parked', entity, id, field, to_jsonb(back.*) FROM back
ON CONFLICT (realm, run_id, module, kind, entity, id, field) DO UPDATE SET became = excluded.became;

-- conflicts_off --
DELETE FROM sync.conflict AS known
 USING undoing AS u
 WHERE (known.realm, known.module, known.entity, known.id) = (%(realm)s, %(module)s, u.entity, u.id)
   AND u.outcome <> 'kept' AND NOT u.partial
   AND (known.run_id = %(undone)s
        OR EXISTS (SELECT FROM sync.former
                    WHERE (realm, run_id, module, kind, entity, id, field)
                        = (%(realm)s, %(undone)s, %(module)s, 'conflict', u.entity, u.id, known.field)));

-- conflicts_back --
-- Also written down, so that an undo of this undo knows which conflicts there are again.
WITH back AS (
    INSERT INTO sync.conflict (realm, module, entity, id, field, record_key, crm, quickbooks, run_id, since)
    SELECT was.realm, was.module, was.entity, was.id, was.field, was.record_key, former.was -> 'crm', former.was -> 'quickbooks',
           was.run_id, was.since
      FROM undoing AS u
      JOIN sync.former AS former
        ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id)
         = (%(realm)s, %(undone)s, %(module)s, 'conflict', u.entity, u.id)
     CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.conflict, former.was) AS was
     WHERE u.outcome <> 'kept' AND NOT u.partial AND former.was IS NOT NULL
    ON CONFLICT DO NOTHING
 RETURNING conflict.*
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field)
SELECT %(realm)s, %(run_id)s, %(module)s, 'conflict', entity, id, field FROM back
ON CONFLICT DO NOTHING;

-- links_off --
DELETE FROM sync.link
 USING undoing AS u
 WHERE (link.realm, link.entity, link.id, link.module) = (%(realm)s, u.entity, u.id, %(module)s)
   AND u.outcome <> 'kept' AND NOT u.partial
   AND (link.linked_in = %(undone)s
        OR EXISTS (SELECT FROM sync.former
                    WHERE (realm, run_id, module, kind, entity, id, field)
                        = (%(realm)s, %(undone)s, %(module)s, 'link', u.entity, u.id, '')));

-- links_back --
INSERT INTO sync.link
SELECT was.*
  FROM undoing AS u
  JOIN sync.former AS former
    ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id, former.field)
     = (%(realm)s, %(undone)s, %(module)s, 'link', u.entity, u.id, '')
 CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.link, former.was) AS was
 WHERE u.outcome <> 'kept' AND NOT u.partial AND former.was IS NOT NULL;

-- links_reopened --
-- Of a record of which only references are opened again, the link forgets these only.
UPDATE sync.link
   SET written = (link.written - reopened.fields) || reopened.were,
       agreed = nullif(ARRAY (SELECT unnest(link.agreed) EXCEPT SELECT unnest(reopened.fields)
                               UNION
                              SELECT unnest(reopened.agreed) INTERSECT SELECT unnest(reopened.fields)), '{}'),
       source_hash = CASE WHEN link.run_id = reopened.run_id THEN reopened.source_hash ELSE link.source_hash END
  FROM (SELECT u.entity, u.id, fields.names AS fields, link_before.agreed, former.was ->> 'run_id' AS run_id, former.was ->> 'source_hash' AS source_hash,
               (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(former.was -> 'written')
                 WHERE key = ANY (fields.names) AND key <> '@lines')
               || CASE WHEN u.was ? '@lines' THEN jsonb_build_object('@lines', u.was -> '@lines') ELSE '{}' END AS were
          FROM undoing AS u
          JOIN sync.former AS former
            ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id, former.field)
             = (%(realm)s, %(undone)s, %(module)s, 'link', u.entity, u.id, '')
         CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.link, former.was) AS link_before
         CROSS JOIN LATERAL (SELECT ARRAY (SELECT jsonb_object_keys(u.was)) AS names) AS fields
         WHERE u.outcome <> 'kept' AND u.partial) AS reopened
 WHERE (link.realm, link.entity, link.id, link.module) = (%(realm)s, reopened.entity, reopened.id, %(module)s);

-- links_left --
-- So that an undo of this undo knows whether anybody has touched a link since.
INSERT INTO sync.former AS known (realm, run_id, module, kind, entity, id, field, became)
SELECT %(realm)s, %(run_id)s, %(module)s, 'link', u.entity, u.id, '', known.link
  FROM undoing AS u
  LEFT JOIN LATERAL (
       SELECT to_jsonb(own.*) AS link FROM sync.link AS own
        WHERE (realm, entity, id, module) = (%(realm)s, u.entity, u.id, %(module)s) LIMIT 1) AS known ON true
 WHERE u.outcome <> 'kept' AND u.did <> 'beside'
ON CONFLICT (realm, run_id, module, kind, entity, id, field) DO UPDATE SET became = excluded.became;

-- unlinked_off --
-- What the undone run, an undo, has parted from the CRM again; not what a person has parted anew.
WITH off AS (
    DELETE FROM sync.unlinked AS known
     USING sync.former
     WHERE (former.realm, former.run_id, former.module, former.kind) = (%(realm)s, %(undone)s, %(module)s, 'unlinked')
       AND (known.realm, known.module, known.entity, known.id) = (former.realm, former.module, former.entity, former.id)
       AND to_jsonb(known.*) = former.became
       AND NOT EXISTS (SELECT FROM undoing AS u WHERE u.outcome = 'kept' AND (u.entity, u.id) = (known.entity, known.id))
 RETURNING known.*
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
SELECT realm, %(run_id)s, module, 'unlinked', entity, id, '', to_jsonb(off.*) FROM off;

-- unlinked_back --
-- What the run has let look for its CRM record again, however it ended, is parted from the CRM again, unless it is linked.
WITH back AS (
    INSERT INTO sync.unlinked
    SELECT was.*
      FROM sync.former AS former
     CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.unlinked, former.was) AS was
     WHERE (former.realm, former.run_id, former.module, former.kind) = (%(realm)s, %(undone)s, %(module)s, 'unlinked')
       AND former.was IS NOT NULL
       AND NOT EXISTS (SELECT FROM sync.link WHERE (realm, entity, id, module) = (was.realm, was.entity, was.id, was.module))
    ON CONFLICT DO NOTHING
 RETURNING unlinked.*
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, became)
SELECT realm, %(run_id)s, module, 'unlinked', entity, id, '', to_jsonb(back.*) FROM back;

-- held_before --
-- What is held back now, of the records that are undone and of those that collide with one that is removed.
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
SELECT %(realm)s, %(run_id)s, %(module)s, 'held', held.entity, held.id, '', to_jsonb(held.*)
  FROM sync.held AS held
 WHERE held.realm = %(realm)s AND held.module = %(module)s
   AND (EXISTS (SELECT FROM undoing AS u
                 WHERE u.outcome <> 'kept' AND (u.entity, u.id) = (held.entity, held.id))
        OR held.collides_with IN (SELECT record_key FROM undoing WHERE outcome = 'removed'))
ON CONFLICT DO NOTHING;

-- collisions_gone --
UPDATE sync.held
   SET collides_with = NULL
 WHERE realm = %(realm)s AND module = %(module)s
   AND collides_with IN (SELECT record_key FROM undoing WHERE outcome = 'removed');

-- hold --
-- What is undone stays undone until it changes, or its mapping is another one than now. A record that the run only linked, because another refers to
-- it, was not a row of that run, and of one that it read and left as it was it only closed references: nothing of these is
-- held back. How a record ended says the run at the origin, of which all others are undos.
INSERT INTO sync.held AS known (realm, module, entity, id, outcome, reason, mapping_hash, run_id)
SELECT %(realm)s, %(module)s, u.entity, u.id, 'not_added', 'undone', %(hash_in_force)s, %(run_id)s
  FROM undoing AS u
 WHERE u.outcome <> 'kept' AND NOT u.partial
   AND (u.did <> 'updated'
        OR EXISTS (SELECT FROM sync.outcome
                    WHERE (realm, run_id, module, entity, id, outcome)
                        = (%(realm)s, %(origin)s, %(module)s, u.entity, u.id, 'updated')))
   AND (u.outcome <> 'unchanged'
        OR u.told AND NOT EXISTS (
           SELECT FROM sync.link WHERE (realm, entity, id, module) = (%(realm)s, u.entity, u.id, %(module)s)))
ON CONFLICT (realm, module, entity, id) DO UPDATE
   SET outcome = excluded.outcome, reason = excluded.reason, collides_with = NULL,
       candidates = '{}', cause = NULL, due = false, mapping_hash = excluded.mapping_hash, run_id = excluded.run_id;

-- hold_unlinked --
-- What is parted from the CRM again is held back for that, not as undone.
WITH parted AS (
    SELECT entity, id FROM sync.former
     WHERE (realm, run_id, module, kind) = (%(realm)s, %(run_id)s, %(module)s, 'unlinked') AND became IS NOT NULL
), before AS (
    INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
    SELECT held.realm, %(run_id)s, held.module, 'held', held.entity, held.id, '', to_jsonb(held.*)
      FROM parted
      JOIN sync.held ON (held.realm, held.module, held.entity, held.id) = (%(realm)s, %(module)s, parted.entity, parted.id)
     WHERE held.run_id <> %(run_id)s
    ON CONFLICT DO NOTHING
)
INSERT INTO sync.held AS known (realm, module, entity, id, outcome, reason, mapping_hash, run_id)
SELECT %(realm)s, %(module)s, entity, id, 'not_added', 'unlinked', %(hash_in_force)s, %(run_id)s FROM parted
ON CONFLICT (realm, module, entity, id) DO UPDATE
   SET outcome = excluded.outcome, reason = excluded.reason, collides_with = NULL,
       candidates = '{}', cause = NULL, due = false, mapping_hash = excluded.mapping_hash, run_id = excluded.run_id;

-- refused_due --
-- What a version waits for that the table has refused is forgotten with the run that read it: the next sync reads it again.
UPDATE sync.held
   SET due = true
  FROM undoing AS u
 WHERE (held.realm, held.module, held.entity, held.id) = (%(realm)s, %(module)s, u.entity, u.id)
   AND held.reason = 'refused_by_table' AND u.outcome <> 'kept'
   AND EXISTS (SELECT FROM sync.former
                WHERE (realm, run_id, module, kind, entity, id) = (held.realm, %(run_id)s, held.module, 'parked', held.entity, held.id)
                  AND (was ->> 'refused')::boolean)
   AND NOT EXISTS (SELECT FROM sync.parked
                    WHERE (realm, module, entity, id, run_id) = (held.realm, held.module, held.entity, held.id, held.run_id)
                      AND refused);

-- no_longer_undone --
-- What an undo held back is free again.
DELETE FROM sync.held
 USING undoing AS u
 WHERE (held.realm, held.module, held.entity, held.id) = (%(realm)s, %(module)s, u.entity, u.id)
   AND held.run_id = %(undone)s AND u.outcome <> 'kept';

-- no_longer_unlinked --
-- The same of what an undo had parted from the CRM again.
DELETE FROM sync.held
 USING sync.former
 WHERE (former.realm, former.run_id, former.module, former.kind) = (%(realm)s, %(run_id)s, %(module)s, 'unlinked')
   AND (held.realm, held.module, held.entity, held.id) = (former.realm, former.module, former.entity, former.id)
   AND held.run_id = %(undone)s;

-- unlinked_due --
-- Of what has changed in QuickBooks while it was parted, the next sync brings the newest version.
UPDATE sync.held
   SET due = true
  FROM sync.former
 WHERE (former.realm, former.run_id, former.module, former.kind) = (%(realm)s, %(run_id)s, %(module)s, 'unlinked')
   AND (held.realm, held.module, held.entity, held.id) = (former.realm, former.module, former.entity, former.id)
   AND held.reason = 'unlinked';

-- held_back --
INSERT INTO sync.held AS known
SELECT was.*
  FROM sync.former AS former
 CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.held, former.was) AS was
 WHERE former.realm = %(realm)s AND former.run_id = %(undone)s AND former.module = %(module)s AND former.kind = 'held'
   AND NOT EXISTS (SELECT FROM undoing AS u
                    WHERE u.outcome = 'kept' AND (u.entity, u.id) = (former.entity, former.id))
ON CONFLICT (realm, module, entity, id) DO UPDATE
   SET collides_with = excluded.collides_with,
       due = CASE known.reason WHEN 'refused_by_table' THEN excluded.due ELSE known.due END
 WHERE known.run_id = excluded.run_id;

-- moves --
-- What refers to a record that an undo has let go of stays where it is, and follows when that record comes in again.
INSERT INTO sync.moved (realm, module, entity, id)
SELECT %(realm)s, %(module)s, u.entity, u.id
  FROM undoing AS u
 WHERE u.outcome IN ('updated', 'unchanged') AND NOT u.partial
   AND NOT EXISTS (SELECT FROM sync.link
                    WHERE (realm, entity, id, module, record_key) = (%(realm)s, u.entity, u.id, %(module)s, u.record_key))
ON CONFLICT DO NOTHING;
