-- Undoing what a run did to one module: on the temporary table `undoing`, a row for each record that the run changed.

-- in_the_name_of --
-- Whose changes these are: sync.former keeps what there was before them.
SELECT set_config('sync.realm', %(realm)s, true), set_config('sync.run_id', %(run_id)s, true),
       set_config('sync.module', %(module)s, true);

-- undone_run --
-- The run that is to be undone, and whether it may still be at work.
SELECT run.company, run.kind, run.purged_at IS NOT NULL AS purged,
       run.state = 'running' AND EXISTS (
           SELECT FROM sync.lease
            WHERE lease.realm = run.realm AND lease.run_id = run.run_id
              AND (lease.taken_at > clock_timestamp() - %(silence)s::interval
                   OR EXISTS (SELECT FROM sync.attempt
                               WHERE attempt.realm = run.realm AND attempt.run_id = run.run_id
                                 AND attempt.renewed_at > clock_timestamp() - %(silence)s::interval))) AS at_work
  FROM sync.run AS run
 WHERE run.realm = %(realm)s AND run.run_id = %(undone)s;

-- modules --
-- The modules that a run changed, and whether what an undo needs was kept.
SELECT module, bool_and(undoable)
  FROM (SELECT module, undoable FROM sync.activity WHERE realm = %(realm)s AND run_id = %(undone)s
         UNION ALL
        SELECT module, true FROM sync.resolved_reference WHERE realm = %(realm)s AND run_id = %(undone)s) AS changed
 GROUP BY module;

-- begin --
UPDATE sync.run
   SET undoes = %(undone)s, work = '{}', modules = %(modules)s,
       mappings = (SELECT mappings FROM sync.run WHERE realm = %(realm)s AND run_id = %(undone)s)
 WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- would_begin --
UPDATE sync.run
   SET rehearses = 'undo', would_undo = %(undone)s, work = '{}', modules = %(modules)s,
       mappings = (SELECT mappings FROM sync.run WHERE realm = %(realm)s AND run_id = %(undone)s)
 WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- undone_before --
SELECT EXISTS (SELECT FROM sync.run WHERE undoes = %(undone)s AND realm = %(realm)s AND run_id <> %(run_id)s) AS so;

-- undoing --
-- What the run did to each record of the module, and what it was before; of a record that it only closed references of, these
-- (`reopened`, if it did not load the record as well); and links that it changed though the record stayed as it was, or was
-- no row of the run at all (not `told`).
CREATE TEMP TABLE undoing ON COMMIT DROP AS
WITH told AS (
    SELECT entity, id, outcome AS did, record_key, before - {gone}::text[] AS was, after - {gone}::text[] AS left_as,
           CASE WHEN details ? 'references' THEN ARRAY (SELECT jsonb_array_elements_text(details -> 'references')) END AS reopened
      FROM sync.outcome
     WHERE realm = {realm} AND run_id = {undone} AND module = {module} AND outcome IN ('added', 'updated', 'removed')
), resolved AS (
    SELECT entity, id, 'updated', record_key,
           coalesce(jsonb_object_agg(own.name, own.was) FILTER (WHERE own.name NOT LIKE '@lines.%'), '{{}}') AS was,
           coalesce(jsonb_object_agg(own.name, own.became) FILTER (WHERE own.name NOT LIKE '@lines.%'), '{{}}') AS left_as,
           CASE WHEN NOT EXISTS (SELECT FROM sync.link
                                  WHERE (realm, entity, id, module, run_id) = ({realm}, closed.entity, closed.id, {module}, {undone}))
                 AND NOT EXISTS (SELECT FROM sync.former AS later
                                  WHERE (later.id, later.entity, later.module, later.realm, later.kind)
                                      = (closed.id, closed.entity, {module}, {realm}, 'link')
                                    AND later.was ->> 'run_id' = {undone} AND later.run_id <> {undone})
                THEN array_agg(DISTINCT field) END
      FROM sync.resolved_reference AS closed
     CROSS JOIN LATERAL (
           SELECT field AS name, coalesce(was, 'null') AS was,
                  to_jsonb(jsonb_populate_record(NULL::{table}, jsonb_build_object(field, target_key))) -> field AS became
            UNION ALL
           SELECT key, value -> 0, value -> 1 FROM jsonb_each(with_it) WHERE key <> ALL ({gone}::text[])) AS own
     WHERE realm = {realm} AND run_id = {undone} AND module = {module} AND field <> ALL ({gone}::text[])
       AND NOT EXISTS (SELECT FROM told WHERE (told.entity, told.id) = (closed.entity, closed.id))
     GROUP BY entity, id, record_key
), changed AS (
    SELECT * FROM told
     UNION ALL
    SELECT * FROM resolved
), touched AS (
    SELECT entity, id FROM sync.link WHERE realm = {realm} AND module = {module} AND linked_in = {undone}
     UNION
    SELECT entity, id FROM sync.former
     WHERE realm = {realm} AND run_id = {undone} AND module = {module} AND kind = 'link'
), waiting AS (
    SELECT entity, id, jsonb_build_array(field, target_module, target_entity, target_id) AS what
      FROM sync.parked WHERE realm = {realm} AND run_id = {undone} AND module = {module}
     UNION
    SELECT entity, id, jsonb_build_array(field, was ->> 'target_module', was ->> 'target_entity', was ->> 'target_id')
      FROM sync.former
     WHERE realm = {realm} AND module = {module} AND kind = 'parked' AND was ->> 'run_id' = {undone}
), waited AS (
    SELECT entity, id, jsonb_build_array(field, was ->> 'target_module', was ->> 'target_entity', was ->> 'target_id') AS what
      FROM sync.former
     WHERE realm = {realm} AND run_id = {undone} AND module = {module} AND kind = 'parked'
), beside AS (
    SELECT entity, id FROM (TABLE waiting EXCEPT TABLE waited) AS opened
     UNION
    SELECT entity, id FROM (TABLE waited EXCEPT TABLE waiting) AS dropped
     UNION
    SELECT entity, id FROM sync.former
     WHERE realm = {realm} AND run_id = {undone} AND module = {module} AND kind = 'conflict'
), linked AS (
    SELECT link.entity, link.id, 'beside', link.record_key, NULL::jsonb, NULL::jsonb, NULL::text[]
      FROM (TABLE beside EXCEPT TABLE touched) AS own
      JOIN sync.link AS link ON (link.realm, link.entity, link.id, link.module) = ({realm}, own.entity, own.id, {module})
     WHERE NOT EXISTS (SELECT FROM changed WHERE (changed.entity, changed.id) = (own.entity, own.id))
     UNION ALL
    SELECT touched.entity, touched.id, 'linked', coalesce(link.record_key, former.was ->> 'record_key'),
           NULL::jsonb, NULL::jsonb, NULL::text[]
      FROM touched
      LEFT JOIN sync.link AS link
        ON (link.realm, link.entity, link.id, link.module) = ({realm}, touched.entity, touched.id, {module})
      LEFT JOIN sync.former AS former
        ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id, former.field)
         = ({realm}, {undone}, {module}, 'link', touched.entity, touched.id, '')
     WHERE NOT EXISTS (SELECT FROM changed WHERE (changed.entity, changed.id) = (touched.entity, touched.id))
)
SELECT row_number() OVER (ORDER BY CASE WHEN id ~ '^[0-9]+$' THEN id::numeric END, id, entity) AS n, every.*,
       CASE did WHEN 'added' THEN 'remove' WHEN 'removed' THEN 'insert' WHEN 'updated' THEN 'restore' ELSE 'link' END AS action,
       reopened IS NOT NULL AS partial,
       reopened AS waits_for,
       did <> 'linked' OR EXISTS (SELECT FROM sync.outcome AS own
                                   WHERE (own.realm, own.run_id, own.module, own.entity, own.id)
                                       = ({realm}, {undone}, {module}, every.entity, every.id)
                                   AND own.outcome IN ('added', 'updated', 'unchanged')) AS told,
       NULL::jsonb AS image,
       NULL::jsonb AS whole_lines,
       NULL::jsonb AS after,
       NULL::text AS outcome,
       NULL::text AS reason,
       NULL::text AS message,
       NULL::jsonb AS details,
       NULL::text AS blocked,
       NULL::text AS refusal
  FROM (SELECT * FROM changed
         UNION ALL
        SELECT * FROM linked) AS every (entity, id, did, record_key, was, left_as, reopened)
 WHERE NOT {undone_before} OR sync.stands({realm}, {undone}, {module}, entity, id);

-- undoing_index --
ALTER TABLE undoing ADD PRIMARY KEY (n);

-- undoing_statistics --
ANALYZE undoing;

-- current --
-- What each record holds now; nobody changes it, and nobody refers to it anew, until this transaction ends.
UPDATE undoing
   SET image = held.image
  FROM (SELECT u.n, to_jsonb(current.*) AS image
          FROM undoing AS u
          JOIN {table} AS current ON current.{key} = u.record_key::{key_type}
           FOR UPDATE OF current) AS held
 WHERE held.n = undoing.n;

-- current_lines --
-- The lines that each document holds now: those that the mapping fills of them, and the whole rows.
UPDATE undoing
   SET image = image || jsonb_build_object('@lines', held.lines), whole_lines = held.whole
  FROM (SELECT u.n, coalesce(jsonb_agg(to_jsonb(line.*) - {line_unmapped}::text[] ORDER BY line.{position}, line.{line_key})
                                 FILTER (WHERE line.{line_key} IS NOT NULL), '[]') AS lines,
               coalesce(jsonb_agg(to_jsonb(line.*) ORDER BY line.{position}, line.{line_key})
                            FILTER (WHERE line.{line_key} IS NOT NULL), '[]') AS whole
          FROM undoing AS u
          LEFT JOIN {lines} AS line ON line.{parent} = u.record_key::{parent_type}
         WHERE u.image IS NOT NULL
         GROUP BY u.n) AS held
 WHERE held.n = undoing.n;

-- lines_resolved --
-- References that the run closed in lines of documents that it changed in nothing else: where a line still has it, it loses it.
UPDATE undoing
   SET was = undoing.was || jsonb_build_object('@lines', closed.was),
       left_as = undoing.left_as || jsonb_build_object('@lines', closed.left_as)
  FROM (SELECT u.n, jsonb_agg(line.row || coalesce(own.was, '{{}}') ORDER BY line.place) AS was,
               jsonb_agg(line.row || coalesce(own.left_as, '{{}}') ORDER BY line.place) AS left_as
          FROM undoing AS u
         CROSS JOIN LATERAL jsonb_array_elements(u.image -> '@lines') WITH ORDINALITY AS line (row, place)
          LEFT JOIN LATERAL (
               SELECT jsonb_object_agg(split.name, coalesce(told.was, 'null')) AS was,
                      jsonb_object_agg(split.name, to_jsonb(jsonb_populate_record(NULL::{lines},
                                                        jsonb_build_object(split.name, told.target_key))) -> split.name) AS left_as
                 FROM sync.resolved_reference AS told
                CROSS JOIN LATERAL (SELECT substring(told.field FROM '^@lines\.[0-9]+\.(.*)$') AS name) AS split
                WHERE (told.realm, told.run_id, told.module, told.entity, told.id)
                    = (%(realm)s, %(undone)s, %(module)s, u.entity, u.id)
                  AND substring(told.field FROM '^@lines\.([0-9]+)\.') = line.row ->> {position_name}) AS own ON true
         WHERE u.action = 'restore' AND NOT u.was ? '@lines'
           AND EXISTS (SELECT FROM sync.resolved_reference AS told
                        WHERE (told.realm, told.run_id, told.module, told.entity, told.id)
                            = (%(realm)s, %(undone)s, %(module)s, u.entity, u.id)
                          AND told.field LIKE '@lines.%%')
         GROUP BY u.n) AS closed
 WHERE closed.n = undoing.n;

-- closed_before --
-- References that the run had closed before it loaded the record itself: it was without them before the run.
UPDATE undoing
   SET was = undoing.was || told.was
  FROM (SELECT u.n, jsonb_object_agg(own.name, own.was) AS was
          FROM undoing AS u
          JOIN sync.resolved_reference AS closed
            ON (closed.realm, closed.run_id, closed.module, closed.entity, closed.id)
             = (%(realm)s, %(undone)s, %(module)s, u.entity, u.id)
         CROSS JOIN LATERAL (
               SELECT closed.field AS name, coalesce(closed.was, 'null') AS was
                UNION ALL
               SELECT key, value -> 0 FROM jsonb_each(closed.with_it)) AS own
         WHERE u.action = 'restore' AND NOT u.partial AND u.was ? own.name
         GROUP BY u.n) AS told
 WHERE told.n = undoing.n;

-- lines_closed_before --
UPDATE undoing
   SET was = undoing.was || jsonb_build_object('@lines', told.was)
  FROM (SELECT u.n, jsonb_agg(line.row || coalesce(own.was, '{{}}') ORDER BY line.place) AS was
          FROM undoing AS u
         CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') WITH ORDINALITY AS line (row, place)
          LEFT JOIN LATERAL (
               SELECT jsonb_object_agg(substring(closed.field FROM '^@lines\.[0-9]+\.(.*)$'), coalesce(closed.was, 'null')) AS was
                 FROM sync.resolved_reference AS closed
                WHERE (closed.realm, closed.run_id, closed.module, closed.entity, closed.id)
                    = (%(realm)s, %(undone)s, %(module)s, u.entity, u.id)
                  AND substring(closed.field FROM '^@lines\.([0-9]+)\.') = line.row ->> {position_name}) AS own ON true
         WHERE u.action = 'restore' AND NOT u.partial AND u.was ? '@lines'
         GROUP BY u.n
        HAVING bool_or(own.was IS NOT NULL)) AS told
 WHERE told.n = undoing.n;

-- nowhere --
-- A link that leads to no record, before and now, is nothing to undo.
DELETE FROM undoing WHERE action = 'link' AND image IS NULL;

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
       message = 'The CRM has another record of that number by now.'
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

-- linked_since --
-- Records whose link is no longer as the run left it: a later run has written it, or a person has linked or unlinked it.
UPDATE undoing
   SET outcome = 'kept', reason = 'linked_since', message = told.message,
       details = jsonb_build_object('by', told.who)
  FROM (SELECT u.n, link.run_id AS who,
               CASE WHEN link.run_id IS NULL THEN 'Unlinked since.'
                    WHEN link.record_key <> u.record_key THEN 'Linked to another CRM record since.'
                    WHEN link.run_id = 'by hand' THEN 'Linked since to the CRM record to which somebody gave its id.'
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

-- filled_since --
-- Added records in which somebody has filled what the mapping leaves alone: removing them would lose it.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since',
       message = format('Changed since by somebody in the CRM: %s.', array_to_string(told.fields, ', ')),
       details = jsonb_build_object('fields', told.fields, 'by', 'somebody in the CRM')
  FROM (SELECT u.n, array_remove(ARRAY[{filled}]::text[], NULL) AS fields
          FROM undoing AS u
          JOIN {table} AS current ON current.{key} = u.record_key::{key_type}
         WHERE u.outcome IS NULL AND u.action = 'remove') AS told
 WHERE told.n = undoing.n AND cardinality(told.fields) > 0;

-- filled --
CASE WHEN current.{column} IS DISTINCT FROM {default} THEN {name} END

-- line_filled_since --
-- The same of lines that would go, unless an undo has brought them back just so.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since', message = 'Changed since by somebody in the CRM: @lines.',
       details = jsonb_build_object('fields', ARRAY['@lines'], 'by', 'somebody in the CRM')
 WHERE outcome IS NULL
   AND n IN (SELECT u.n
               FROM undoing AS u
               JOIN {lines} AS current ON current.{parent} = u.record_key::{parent_type}
              WHERE u.outcome IS NULL AND {goes} AND num_nonnulls({filled}) > 0
                AND NOT EXISTS (SELECT FROM sync.former
                                 WHERE (id, entity, module, realm)
                                     = (u.id, u.entity, current_setting('sync.module'), current_setting('sync.realm'))
                                   AND (kind, field) = ('line', current.{line_key}::text) AND was = to_jsonb(current.*)));

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

-- tells_by_default --
-- Whether a table leaves columns alone that nobody fills: no trigger of its own may fill them.
SELECT NOT EXISTS (SELECT FROM pg_trigger
                    WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal AND tgenabled <> 'D'
                      AND tgtype::integer & 7 = 7) AS so;

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

-- insert --
-- Records that an undo has removed come back as they were, under the same primary key.
WITH done AS (
    INSERT INTO {table} AS current ({every_column}) OVERRIDING SYSTEM VALUE
    SELECT {every_new}
      FROM undoing AS u
     CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, u.was) AS new
     WHERE u.outcome IS NULL AND u.action = 'insert' AND {which}
     ORDER BY u.n
 RETURNING current.{key}::text AS record_key, to_jsonb(current.*) - {unmapped}::text[] AS after
)
UPDATE undoing
   SET outcome = 'added', after = done.after
  FROM done
 WHERE undoing.outcome IS NULL AND undoing.action = 'insert' AND undoing.record_key = done.record_key;

-- restore --
-- Records that the run changed get back what they held before.
WITH done AS (
    UPDATE {table} AS current
       SET ({columns}) = ROW ({new_columns})
      FROM undoing AS u
     CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, u.image || u.was) AS new
     WHERE u.outcome IS NULL AND u.action = 'restore' AND current.{key} = u.record_key::{key_type} AND {which}
 RETURNING u.n, (SELECT jsonb_object_agg(was.key, to_jsonb(current.*) -> was.key)
                   FROM jsonb_object_keys(u.was - '@lines') AS was (key)) AS after
)
UPDATE undoing
   SET outcome = 'updated', after = coalesce(done.after, '{{}}')
  FROM done
 WHERE done.n = undoing.n;

-- remove_lines --
-- A document's lines go with it.
DELETE FROM {lines} AS line
 USING undoing AS u
 WHERE u.outcome IS NULL AND u.action = 'remove' AND u.blocked IS NULL
   AND line.{parent} = u.record_key::{parent_type} AND {which};

-- insert_lines --
INSERT INTO {lines} ({every_line_column}) OVERRIDING SYSTEM VALUE
SELECT {every_new_line}
  FROM undoing AS u
 CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') AS line (row)
 CROSS JOIN LATERAL jsonb_populate_record(NULL::{lines}, line.row) AS new
 WHERE u.outcome = 'added' AND NOT u.after ? '@lines' AND {which};

-- drop_lines --
-- Lines that the document did not have before the run; kept whole, so that an undo of this undo can bring them back.
WITH gone AS (
    DELETE FROM {lines} AS line
     USING undoing AS u
     WHERE u.outcome = 'updated' AND u.was ? '@lines' AND NOT u.after ? '@lines' AND {which}
       AND line.{parent} = u.record_key::{parent_type}
       AND NOT EXISTS (SELECT FROM jsonb_array_elements(u.was -> '@lines') AS before (row)
                        WHERE before.row -> {position_name} = to_jsonb(line.{position}))
 RETURNING u.entity, u.id, line.{line_key}::text AS key, to_jsonb(line.*) AS was
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
SELECT current_setting('sync.realm'), current_setting('sync.run_id'), current_setting('sync.module'), 'line', entity, id, key, was
  FROM gone
ON CONFLICT DO NOTHING;

-- change_lines --
UPDATE {lines} AS line
   SET ({line_columns}) = ROW ({new_line_columns})
  FROM undoing AS u
 CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') AS before (row)
 CROSS JOIN LATERAL jsonb_populate_record(NULL::{lines}, before.row) AS new
 WHERE u.outcome = 'updated' AND u.was ? '@lines' AND NOT u.after ? '@lines' AND {which}
   AND line.{parent} = u.record_key::{parent_type} AND line.{position} = new.{position}
   AND to_jsonb(line.*) - {line_unmapped}::text[] <> before.row;

-- wanted_lines --
undoing AS u
                             CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') AS wanted (image)
                             WHERE u.outcome = 'updated' AND u.was ? '@lines' AND NOT u.after ? '@lines' AND {which}
                               AND line.{parent} = u.record_key::{parent_type}
                               AND wanted.image -> {position_name} = to_jsonb(line.{position})
                               AND to_jsonb(line.*) - {line_unmapped}::text[] <> wanted.image

-- return_lines --
-- Lines that the run removed come back whole, under the same primary key if it is still free.
INSERT INTO {lines} ({every_line_column}) OVERRIDING SYSTEM VALUE
SELECT {every_new_line}
  FROM undoing AS u
 CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') AS before (row)
 CROSS JOIN LATERAL (
       SELECT was FROM sync.former
        WHERE (realm, run_id, module) = (current_setting('sync.realm'), {undone}, current_setting('sync.module'))
          AND (kind, entity, id) = ('line', u.entity, u.id) AND was -> {position_name} = before.row -> {position_name}
          AND NOT EXISTS (SELECT FROM {lines} AS line WHERE line.{line_key}::text = field)
        ORDER BY field LIMIT 1) AS gone
 CROSS JOIN LATERAL jsonb_populate_record(NULL::{lines}, gone.was || before.row) AS new
 WHERE u.outcome = 'updated' AND u.was ? '@lines' AND NOT u.after ? '@lines' AND {which}
   AND NOT EXISTS (SELECT FROM {lines} AS line
                    WHERE line.{parent} = u.record_key::{parent_type} AND line.{position} = new.{position});

-- add_lines --
INSERT INTO {lines} ({parent}, {line_columns}{company})
SELECT u.record_key::{parent_type}, {new_line_columns}{company_value}
  FROM undoing AS u
 CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') AS before (row)
 CROSS JOIN LATERAL jsonb_populate_record(NULL::{lines}, before.row) AS new
 WHERE u.outcome = 'updated' AND u.was ? '@lines' AND NOT u.after ? '@lines' AND {which}
   AND NOT EXISTS (SELECT FROM {lines} AS line
                    WHERE line.{parent} = u.record_key::{parent_type} AND line.{position} = new.{position});

-- tell_lines --
UPDATE undoing
   SET after = after || jsonb_build_object('@lines', held.lines)
  FROM (SELECT u.n, coalesce(jsonb_agg(to_jsonb(line.*) - {line_unmapped}::text[] ORDER BY line.{position}, line.{line_key})
                                 FILTER (WHERE line.{line_key} IS NOT NULL), '[]') AS lines
          FROM undoing AS u
          LEFT JOIN {lines} AS line ON line.{parent} = u.record_key::{parent_type}
         WHERE (u.outcome = 'added' OR u.outcome = 'updated' AND u.was ? '@lines') AND NOT u.after ? '@lines' AND {which}
         GROUP BY u.n) AS held
 WHERE held.n = undoing.n;

-- remove --
-- Records that the run added go, those that refer to others before these.
WITH done AS (
    DELETE FROM {table} AS current
     USING undoing AS u
     WHERE u.outcome IS NULL AND u.action = 'remove' AND u.blocked IS NULL
       AND current.{key} = u.record_key::{key_type} AND {which}
 RETURNING u.n
)
UPDATE undoing
   SET outcome = 'removed'
  FROM done
 WHERE done.n = undoing.n;

-- new_value --
new.{column}

-- every_row --
true

-- one_row --
u.n = candidate.n

-- pending --
SELECT count(*) FROM undoing WHERE outcome IS NULL AND action = %(action)s AND blocked IS NULL;

-- row_by_row --
-- The same statement for one row after the other, for none first; a row that the table refuses keeps the database's reason.
DO $refusals$
DECLARE
    candidate record;
    context text;
    exchanged jsonb;
    said text;
BEGIN
    SELECT 0::bigint AS n INTO candidate;
    {statement};
    FOR candidate IN
        SELECT u.n FROM undoing AS u
         WHERE u.outcome IS NULL AND u.action = {action} AND u.blocked IS NULL AND {ready} ORDER BY u.n
    LOOP
        BEGIN
            {statement};
            IF EXISTS (SELECT FROM undoing WHERE n = candidate.n AND outcome IS NULL) THEN
                RAISE EXCEPTION 'a trigger left the record out or gave it another number';
            END IF;
        EXCEPTION
            WHEN ASSERT_FAILURE OR OTHERS THEN
                GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                IF NOT sync.is_refusal(SQLSTATE, context) THEN
                    RAISE;
                END IF;
                GET STACKED DIAGNOSTICS said = MESSAGE_TEXT;
                UPDATE undoing SET refusal = said WHERE n = candidate.n;
        END;
    END LOOP;
END $refusals$;

-- needed_by_none --
-- No other record that is still to be removed refers to it.
NOT EXISTS (SELECT FROM {table} AS current
              JOIN {table} AS other ON ({columns}) = ({meant}) AND other.{key} <> current.{key}
              JOIN undoing AS child ON child.record_key = other.{key}::text
               AND child.outcome IS NULL AND child.action = 'remove'
             WHERE current.{key} = u.record_key::{key_type})

-- relink --
UPDATE undoing SET outcome = 'unchanged' WHERE outcome IS NULL AND action = 'link';

-- left_over --
UPDATE undoing
   SET outcome = 'kept',
       reason = CASE WHEN refusal IS NULL THEN 'referenced' ELSE 'refused_by_table' END,
       message = CASE WHEN refusal IS NULL
                      THEN coalesce(blocked, 'Records that could not be removed refer to it.')
                      ELSE format('The CRM table refused it: %s.', refusal) END
 WHERE outcome IS NULL;

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
                              AND to_jsonb(parked.*) @> became)));

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
       source_hash = CASE WHEN link.run_id = reopened.run_id THEN reopened.source_hash ELSE link.source_hash END
  FROM (SELECT u.entity, u.id, fields.names AS fields, former.was ->> 'run_id' AS run_id, former.was ->> 'source_hash' AS source_hash,
               (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(former.was -> 'written')
                 WHERE key = ANY (fields.names) AND key <> '@lines')
               || CASE WHEN u.was ? '@lines' THEN jsonb_build_object('@lines', u.was -> '@lines') ELSE '{}' END AS were
          FROM undoing AS u
          JOIN sync.former AS former
            ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id, former.field)
             = (%(realm)s, %(undone)s, %(module)s, 'link', u.entity, u.id, '')
         CROSS JOIN LATERAL (SELECT ARRAY (SELECT jsonb_object_keys(u.was)) AS names) AS fields
         WHERE u.outcome <> 'kept' AND u.partial) AS reopened
 WHERE (link.realm, link.entity, link.id, link.module) = (%(realm)s, reopened.entity, reopened.id, %(module)s);

-- links_left --
-- So that an undo of this undo knows whether anybody has touched a link since.
INSERT INTO sync.former AS known (realm, run_id, module, kind, entity, id, field, became)
SELECT %(realm)s, %(run_id)s, %(module)s, 'link', u.entity, u.id, '', to_jsonb(link.*)
  FROM undoing AS u
  LEFT JOIN sync.link AS link
    ON (link.realm, link.entity, link.id, link.module) = (%(realm)s, u.entity, u.id, %(module)s)
 WHERE u.outcome <> 'kept' AND u.did <> 'beside'
ON CONFLICT (realm, run_id, module, kind, entity, id, field) DO UPDATE SET became = excluded.became;

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
-- What is undone stays undone until it, or its mapping, changes. A record that the run only linked, because another refers to
-- it, was not a row of that run, and of one that it read and left as it was it only closed references: nothing of these is
-- held back. How a record ended says the run at the origin, of which all others are undos.
INSERT INTO sync.held AS known (realm, module, entity, id, outcome, reason, mapping_hash, run_id)
SELECT %(realm)s, %(module)s, u.entity, u.id, 'not_added', 'undone', position.mapping_hash, %(run_id)s
  FROM undoing AS u
  JOIN sync.module_position AS position ON (position.realm, position.module) = (%(realm)s, %(module)s)
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

-- no_longer_undone --
-- What an undo held back is free again.
DELETE FROM sync.held
 USING undoing AS u
 WHERE (held.realm, held.module, held.entity, held.id) = (%(realm)s, %(module)s, u.entity, u.id)
   AND held.run_id = %(undone)s AND u.outcome <> 'kept';

-- held_back --
INSERT INTO sync.held AS known
SELECT was.*
  FROM sync.former AS former
 CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.held, former.was) AS was
 WHERE former.realm = %(realm)s AND former.run_id = %(undone)s AND former.module = %(module)s AND former.kind = 'held'
   AND NOT EXISTS (SELECT FROM undoing AS u
                    WHERE u.outcome = 'kept' AND (u.entity, u.id) = (former.entity, former.id))
ON CONFLICT (realm, module, entity, id) DO UPDATE
   SET collides_with = excluded.collides_with
 WHERE known.run_id = excluded.run_id;

-- outcomes --
INSERT INTO sync.outcome (realm, run_id, module, entity, id, outcome, reason, message, details, record_key, before, after)
SELECT %(realm)s, %(run_id)s, %(module)s, entity, id, outcome, reason, message,
       CASE WHEN outcome = 'kept' THEN details
            WHEN partial THEN jsonb_build_object('references', reopened) END,
       record_key,
       CASE outcome WHEN 'removed'
                    THEN image || CASE WHEN whole_lines IS NULL THEN '{}' ELSE jsonb_build_object('@lines', whole_lines) END
                    WHEN 'updated' THEN left_as END,
       after
  FROM undoing
 WHERE told OR outcome = 'kept';

-- activity --
INSERT INTO sync.activity (realm, run_id, module, mapping_hash, mode, from_generation, to_generation,
                           read, added, updated, unchanged, duplicate, not_added, excluded,
                           deactivated, deleted, resolved, removed, kept)
SELECT %(realm)s, %(run_id)s, %(module)s, %(hash)s, 'undo', %(generation)s, %(generation)s,
       count(*),
       count(*) FILTER (WHERE outcome = 'added'),
       count(*) FILTER (WHERE outcome = 'updated'),
       count(*) FILTER (WHERE outcome = 'unchanged'),
       0, 0, 0, 0, 0, 0,
       count(*) FILTER (WHERE outcome = 'removed'),
       count(*) FILTER (WHERE outcome = 'kept')
  FROM sync.outcome
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s;

-- done --
DROP TABLE pg_temp.undoing;

-- chain --
-- How often the run that is undone is an undo of an undo: whether it removed records or brought them back; and which run is
-- at the origin.
WITH RECURSIVE chain (run_id, undoes) AS (
    SELECT run_id, undoes FROM sync.run WHERE realm = %(realm)s AND run_id = %(undone)s
     UNION ALL
    SELECT run.run_id, run.undoes FROM chain
      JOIN sync.run ON run.realm = %(realm)s AND run.run_id = chain.undoes
)
SELECT count(undoes), max(run_id) FILTER (WHERE undoes IS NULL) FROM chain;

-- done_at --
SELECT coalesce(max(loaded_at), '-infinity') FROM sync.activity WHERE realm = %(realm)s AND run_id = %(undone)s;
