-- What an undo keeps, and why: what is no longer as the run left it, and what records that stay refer to.

-- image_gone --
-- Erased on request: nobody may bring back what it held.
UPDATE undoing
   SET outcome = 'kept', reason = 'image_gone', message = 'What it held is no longer kept.'
 WHERE action = 'remove' AND coalesce(left_as, '{}') = '{}'
    OR action IN ('restore', 'insert') AND coalesce(was, '{}') = '{}' AND NOT (partial AND image IS NULL);

-- gone_since --
UPDATE undoing
   SET outcome = 'kept', reason = 'gone_since', message = 'The CRM record has been deleted since.'
 WHERE outcome IS NULL AND action IN ('restore', 'remove') AND image IS NULL;

-- number_taken --
UPDATE undoing
   SET outcome = 'kept', reason = 'number_taken',
       message = 'The CRM has another record under that key by now.'
 WHERE outcome IS NULL AND action = 'insert' AND image IS NOT NULL;

-- changed_since --
-- Records that are no longer as the run left them: what differs, and who has changed it.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since', message = format('Changed since by %%s: %%s.', told.who, told.columns),
       details = jsonb_build_object('fields', told.fields, 'by', told.who)
  FROM (SELECT u.n, since.fields, array_to_string(since.fields, ', ') AS columns,
               CASE WHEN later.run_id IS NULL THEN 'somebody in the CRM'
                    WHEN u.image || later.after = u.image THEN format('run %%s', later.run_id)
                    ELSE format('run %%s and somebody in the CRM', later.run_id) END AS who
          FROM undoing AS u
         CROSS JOIN LATERAL (
               SELECT array_agg(kept.key ORDER BY kept.key) AS fields
                 FROM jsonb_each(u.left_as) AS kept
                WHERE u.image -> kept.key IS DISTINCT FROM kept.value) AS since
          LEFT JOIN LATERAL (
               SELECT own.run_id, load.loaded_at, coalesce(own.after, '{{}}') - {gone}::text[] AS after
                 FROM sync.outcome AS own
                 JOIN sync.activity AS load
                   ON (load.realm, load.run_id, load.module) = (own.realm, own.run_id, own.module)
                 JOIN sync.run ON (run.realm, run.run_id) = (own.realm, own.run_id) AND run.kind <> 'preview'
                WHERE own.id = u.id AND own.entity = u.entity AND own.module = %(module)s AND own.realm = %(realm)s
                  AND own.outcome IN ('added', 'updated') AND own.run_id <> %(undone)s AND load.loaded_at > %(done_at)s
                UNION ALL
               SELECT closed.run_id, load.loaded_at, jsonb_build_object(closed.field, u.image -> closed.field)
                 FROM sync.resolved_reference AS closed
                 JOIN sync.activity AS load
                   ON (load.realm, load.run_id, load.module) = (closed.realm, closed.run_id, closed.closed_by)
                 JOIN sync.run ON (run.realm, run.run_id) = (closed.realm, closed.run_id) AND run.kind <> 'preview'
                WHERE (closed.realm, closed.module, closed.entity, closed.id)
                    = (%(realm)s, %(module)s, u.entity, u.id)
                  AND closed.field = ANY (since.fields) AND closed.run_id <> %(undone)s AND load.loaded_at > %(done_at)s
                ORDER BY loaded_at DESC
                LIMIT 1) AS later ON true
         WHERE u.outcome IS NULL AND u.action IN ('restore', 'remove') AND u.image || u.left_as <> u.image) AS told
 WHERE told.n = undoing.n;

-- column_gone --
-- Records in which the run changed what the table has no column for any more: that cannot be put back.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since',
       message = format('Changed since by somebody in the CRM: the table has no %%s any more.', array_to_string(told.fields, ', ')),
       details = jsonb_build_object('fields', told.fields, 'by', 'somebody in the CRM')
  FROM (SELECT u.n, ARRAY ({fields}) AS fields
          FROM undoing AS u
          JOIN sync.outcome AS own ON (own.realm, own.run_id, own.module, own.entity, own.id)
                                    = (%(realm)s, %(undone)s, %(module)s, u.entity, u.id)
         WHERE u.outcome IS NULL AND u.action = 'restore' AND NOT u.partial) AS told
 WHERE told.n = undoing.n AND cardinality(told.fields) > 0;

-- changed_of_gone --
SELECT name FROM unnest({gone}::text[]) AS lost (name)
                WHERE own.before ->> name IS DISTINCT FROM own.after ->> name

-- changed_of_gone_lines --
SELECT '@lines.' || name FROM unnest({gone_of_lines}::text[]) AS lost (name)
                WHERE EXISTS (SELECT FROM jsonb_array_elements(own.before -> '@lines') AS before (row)
                                LEFT JOIN jsonb_array_elements(own.after -> '@lines') AS after (row)
                                       ON after.row -> {position_name} = before.row -> {position_name}
                               WHERE before.row ->> name IS DISTINCT FROM after.row ->> name)

-- linked_since --
-- Records whose link is no longer as the run left it: a later run has written it, or a person has linked or unlinked it.
UPDATE undoing
   SET outcome = 'kept', reason = 'linked_since', message = told.message,
       details = jsonb_build_object('by', told.who)
  FROM (SELECT u.n, CASE link.run_id WHEN 'by hand' THEN 'a person' ELSE link.run_id END AS who,
               CASE WHEN link.run_id IS NULL THEN 'Unlinked since.'
                    WHEN link.record_key <> u.record_key THEN 'Linked to another CRM record since.'
                    WHEN link.run_id = 'by hand' THEN 'Linked since by a person.'
                    ELSE format('Brought up to date since by run %%s.', link.run_id) END AS message
          FROM undoing AS u
          LEFT JOIN LATERAL (
               SELECT own.record_key, own.run_id, to_jsonb(own.*) AS row FROM sync.link AS own
                WHERE (realm, entity, id, module) = (%(realm)s, u.entity, u.id, %(module)s) LIMIT 1) AS link ON true
          LEFT JOIN LATERAL (
               SELECT was, became FROM sync.former
                WHERE (realm, run_id, module, kind, entity, id, field)
                    = (%(realm)s, %(undone)s, %(module)s, 'link', u.entity, u.id, '') LIMIT 1) AS former ON true
         WHERE u.outcome IS NULL
           AND NOT CASE
               WHEN u.partial OR u.did = 'beside' THEN link.record_key IS NOT DISTINCT FROM u.record_key
               WHEN %(undone_kind)s::text = 'undo' THEN
                    link.row IS NULL AND former.became IS NULL OR coalesce(link.row || former.became = link.row, false)
               WHEN u.action = 'link' THEN
                    link.row IS NULL OR link.run_id IN (%(undone)s, former.was ->> 'run_id')
                    OR link.run_id = 'by hand' AND link.row ->> 'linked_in' = %(undone)s
               ELSE coalesce(link.record_key = u.record_key
                             AND link.run_id IN (%(undone)s, former.was ->> 'run_id'), false) END) AS told
 WHERE told.n = undoing.n;

-- link_with_others --
-- Undos that let links lead to records again do not stand in each other's way, but in that of who links some by their ids.
SELECT pg_advisory_xact_lock_shared(hashtextextended(concat_ws(' ', 'quickbooks_crm linking', %(table)s::text), 0))
 WHERE EXISTS (SELECT FROM undoing AS u
                WHERE u.outcome IS NULL AND NOT u.partial
                  AND NOT EXISTS (SELECT FROM sync.link
                                   WHERE (realm, entity, id, module, record_key)
                                       = (%(realm)s, u.entity, u.id, %(module)s, u.record_key)));

-- another_by_now --
-- Records to which a link would lead again, and which are another QuickBooks record by now, perhaps of another company; not one
-- whose link this undo takes away.
UPDATE undoing
   SET outcome = 'kept', reason = 'linked_since', message = 'The CRM record is another QuickBooks record by now.'
  FROM (SELECT u.n
          FROM undoing AS u
          JOIN sync.former
            ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id, former.field)
             = (%(realm)s, %(undone)s, %(module)s, 'link', u.entity, u.id, '')
          JOIN sync.link AS other ON other.record_key = u.record_key
         WHERE u.outcome IS NULL AND NOT u.partial AND former.was ->> 'record_key' = u.record_key
           AND other.module = ANY (ARRAY (SELECT module FROM sync.module_position WHERE target = %(table)s UNION SELECT %(module)s))
           AND NOT EXISTS (SELECT FROM undoing AS own
                            WHERE (%(realm)s, %(module)s, own.entity, own.id) = (other.realm, other.module, other.entity, other.id)
                              AND own.outcome IS NULL)) AS told
 WHERE told.n = undoing.n;

-- waits_since --
-- Records whose open references are no longer those that the run left: some have been opened, dropped or closed since.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since', message = format('Changed since by run %%s: %%s.', told.who, told.columns),
       details = jsonb_build_object('fields', told.fields, 'by', told.who)
  FROM (SELECT u.n, max(since.run_id) AS who, array_agg(DISTINCT since.field ORDER BY since.field) AS fields,
               string_agg(DISTINCT since.field, ', ' ORDER BY since.field) AS columns
          FROM undoing AS u
         CROSS JOIN LATERAL (
               SELECT coalesce(held.field, left_open.field) AS field, coalesce(held.run_id, left_open.by) AS run_id
                 FROM (SELECT field, jsonb_build_array(target_module, target_entity, target_id) AS target, run_id
                         FROM sync.parked
                        WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, u.entity, u.id)) AS held
                 FULL JOIN (
                      SELECT field, jsonb_build_array(target_module, target_entity, target_id) AS target, run_id AS by
                        FROM sync.parked
                       WHERE (realm, module, entity, id, run_id) = (%(realm)s, %(module)s, u.entity, u.id, %(undone)s)
                       UNION
                      SELECT field, jsonb_build_array(was ->> 'target_module', was ->> 'target_entity', was ->> 'target_id'), run_id
                        FROM sync.former
                       WHERE (id, entity, module, realm, kind) = (u.id, u.entity, %(module)s, %(realm)s, 'parked')
                         AND was ->> 'run_id' = %(undone)s AND run_id <> %(undone)s
                       UNION
                      SELECT field, jsonb_build_array(became ->> 'target_module', became ->> 'target_entity', became ->> 'target_id'), run_id
                        FROM sync.former
                       WHERE (realm, run_id, module, kind, entity, id) = (%(realm)s, %(undone)s, %(module)s, 'parked', u.entity, u.id)
                         AND became IS NOT NULL
                      ) AS left_open ON (left_open.field, left_open.target) = (held.field, held.target)
                WHERE held.field IS NULL OR left_open.field IS NULL) AS since
         WHERE u.outcome IS NULL AND u.action = 'link' AND %(undone_kind)s::text <> 'undo'
         GROUP BY u.n) AS told
 WHERE told.n = undoing.n;

-- read_later --
-- Records of which the run changed only what they wait for, and that a later run has read: what that one found counts.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since', message = format('Read again since by run %%s.', told.who),
       details = jsonb_build_object('by', told.who)
  FROM (SELECT u.n, since.run_id AS who
          FROM undoing AS u
         CROSS JOIN LATERAL ({read_since}) AS since
         WHERE u.outcome IS NULL AND u.did = 'beside') AS told
 WHERE told.n = undoing.n;

-- waits_again --
-- A record of which the run closed references and of which the table then refused a newer version: what else it waited for
-- before the run is as before, too, unless a later run has read it.
UPDATE undoing
   SET waits_for = reopened || told.fields
  FROM (SELECT u.n, array_agg(own.field) AS fields
          FROM undoing AS u
         CROSS JOIN LATERAL (
               SELECT field FROM sync.former
                WHERE (realm, run_id, module, kind, entity, id) = (%(realm)s, %(undone)s, %(module)s, 'parked', u.entity, u.id)
                UNION
               SELECT field FROM sync.parked
                WHERE (realm, module, entity, id, run_id) = (%(realm)s, %(module)s, u.entity, u.id, %(undone)s)) AS own
         WHERE u.outcome IS NULL AND u.partial AND NOT EXISTS ({read_since})
         GROUP BY u.n) AS told
 WHERE told.n = undoing.n;

-- read_since --
-- The last run that has read the references of a record since, and stands: it has not been undone, or that undo has, and so on.
-- This is asked of the runs, for an undo tells nothing of a record that waited for the same before the run.
SELECT later.run_id
  FROM sync.outcome AS later
  JOIN sync.activity AS load ON (load.realm, load.run_id, load.module) = (later.realm, later.run_id, later.module)
  JOIN sync.run ON (run.realm, run.run_id) = (later.realm, later.run_id)
 WHERE (later.realm, later.module, later.entity, later.id) = (%(realm)s, %(module)s, u.entity, u.id)
   AND (later.reason IS NULL OR later.reason = 'refused_by_table')
   AND later.run_id <> %(undone)s AND run.kind NOT IN ('preview', 'undo')
   AND load.loaded_at > coalesce((SELECT own.loaded_at FROM sync.activity AS own
                                   WHERE (own.realm, own.run_id, own.module) = (%(realm)s, %(undone)s, %(module)s)), %(done_at)s)
   AND (WITH RECURSIVE chain (run_id) AS (
            SELECT later.run_id
             UNION
            SELECT undo.run_id
              FROM chain
              JOIN sync.run AS undo ON (undo.undoes, undo.realm) = (chain.run_id, %(realm)s)
              JOIN sync.activity AS done ON (done.realm, done.run_id, done.module) = (%(realm)s, undo.run_id, %(module)s)
             WHERE NOT EXISTS (SELECT FROM sync.outcome AS own
                                WHERE (own.realm, own.run_id, own.module, own.entity, own.id)
                                    = (%(realm)s, undo.run_id, %(module)s, u.entity, u.id) AND own.outcome = 'kept')
        )
        SELECT count(*) %% 2 = 1 FROM chain)
 ORDER BY load.loaded_at DESC
 LIMIT 1

-- line_needed --
-- Documents of which a line would go that another record refers to.
UPDATE undoing
   SET outcome = 'kept', reason = 'referenced', message = told.message
  FROM (SELECT u.n, format('%s of %s %s to its lines (%s).', CASE WHEN count(*) = 1 THEN '1 record' ELSE count(*) || ' records' END,
                           {name}, CASE WHEN count(*) = 1 THEN 'refers' ELSE 'refer' END, {columns_named}) AS message
          FROM undoing AS u
          JOIN {lines} AS current ON current.{parent} = u.record_key::{parent_type}
          JOIN {other} AS other ON ({columns}) = ({meant})
         WHERE u.outcome IS NULL AND {goes}
         GROUP BY u.n) AS told
 WHERE told.n = undoing.n;

-- goes --
-- A line goes with its document, or because the document did not have it before the run.
(u.action = 'remove' OR u.action = 'restore' AND u.was ? '@lines'
                        AND NOT EXISTS (SELECT FROM jsonb_array_elements(u.was -> '@lines') AS before (row)
                                         WHERE before.row -> {position_name} = to_jsonb(current.{position})))

-- doubles --
-- Records that an undo removed and that have come into the CRM since as others, as a load tells that they are the same; not what
-- this undo changes, nor what was there beside them when they were removed, which is noted of those that go now.
UPDATE undoing
   SET doubles = undoing.doubles || hit.keys,
       outcome = CASE undoing.action WHEN 'insert' THEN 'kept' END,
       reason = CASE undoing.action WHEN 'insert' THEN 'came_since' END,
       message = CASE undoing.action WHEN 'insert'
                      THEN format('The CRM has another record with the same %%s by now. Its key is %%s.', {label}, hit.keys[1]) END
  FROM (SELECT i.n, array_agg(current.{key}::text ORDER BY current.{key}) AS keys
          FROM undoing AS i
         CROSS JOIN LATERAL jsonb_to_record(coalesce(i.image, i.was)) AS new ({record})
          JOIN {table} AS current ON {equal} AND {scope}
         WHERE i.outcome IS NULL AND i.action IN ('insert', 'remove') AND current.{key}::text <> i.record_key
           AND NOT EXISTS (SELECT FROM undoing AS own
                            WHERE own.record_key = current.{key}::text AND own.outcome IS NULL
                              AND (own.action = 'remove' OR own.action = 'restore' AND own.was ?| {compared}))
           AND NOT EXISTS (SELECT FROM sync.outcome AS removed
                            WHERE (removed.realm, removed.run_id, removed.module, removed.entity, removed.id)
                                = (%(realm)s, %(undone)s, %(module)s, i.entity, i.id)
                              AND removed.details -> 'doubles' ? current.{key}::text)
         GROUP BY i.n) AS hit
 WHERE hit.n = undoing.n;

-- pointing --
-- The foreign keys that point to a table: the tables and columns they are in, and the columns they mean.
SELECT space.nspname, other.relname,
       (SELECT array_agg(a.attname ORDER BY k.place) FROM unnest(f.conkey) WITH ORDINALITY AS k (column_number, place)
          JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.column_number) AS columns,
       (SELECT array_agg(a.attname ORDER BY k.place) FROM unnest(f.confkey) WITH ORDINALITY AS k (column_number, place)
          JOIN pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.column_number) AS meant
  FROM pg_constraint AS f
  JOIN pg_class AS other ON other.oid = f.conrelid
  JOIN pg_namespace AS space ON space.oid = other.relnamespace
 WHERE f.contype = 'f' AND f.conparentid = 0 AND f.confrelid = %(table)s::regclass;

-- unblocked --
UPDATE undoing SET blocked = NULL WHERE blocked IS NOT NULL;

-- blocked --
-- Records to be removed that records which stay refer to.
UPDATE undoing
   SET blocked = told.message
  FROM (SELECT u.n, format('%s of %s %s to it (%s).', CASE WHEN count(*) = 1 THEN '1 record' ELSE count(*) || ' records' END,
                           {name}, CASE WHEN count(*) = 1 THEN 'refers' ELSE 'refer' END, {columns_named}) AS message
          FROM undoing AS u
          JOIN {table} AS current ON current.{key} = u.record_key::{key_type}
          JOIN {other} AS other ON ({columns}) = ({meant})
         WHERE u.outcome IS NULL AND u.action = 'remove' AND u.blocked IS NULL AND {stays}
         GROUP BY u.n) AS told
 WHERE told.n = undoing.n;

-- as_text --
{}::text

-- a_stranger --
true

-- not_removed --
NOT EXISTS (SELECT FROM undoing AS removed
             WHERE removed.outcome IS NULL AND removed.action = 'remove' AND removed.blocked IS NULL
               AND removed.record_key = other.{key}::text)
