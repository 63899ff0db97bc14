-- The table `undoing`: what a run did to each record of a module, what it was before, and what it holds now.

-- undoing --
-- What the run did to each record of the module, and what it was before; of a record that it only closed references of, these
-- (`reopened`, if it did not load the record as well); and links that it changed though the record stayed as it was, or was
-- no row of the run at all (not `told`). Each looks its own up, and what is left out is looked for in a hash: how many there
-- are is not known to Postgres.
CREATE TEMP TABLE undoing ON COMMIT DROP AS
WITH told AS (
    SELECT entity, id, outcome AS did, record_key, before - {gone}::text[] AS was, after - {gone}::text[] AS left_as,
           CASE WHEN details ? 'references' THEN ARRAY (SELECT jsonb_array_elements_text(details -> 'references')) END AS reopened,
           left_alone
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
                THEN array_agg(DISTINCT field) END, NULL::jsonb
      FROM sync.resolved_reference AS closed
     CROSS JOIN LATERAL (
           SELECT field AS name, coalesce(was, 'null') AS was,
                  (SELECT to_jsonb(new) -> field FROM jsonb_to_record(jsonb_build_object(field, target_key)) AS new ({record})) AS became
            UNION ALL
           SELECT key, value -> 0, value -> 1 FROM jsonb_each(with_it) WHERE key <> ALL ({gone}::text[])) AS own
     WHERE realm = {realm} AND run_id = {undone} AND module = {module} AND field <> ALL ({gone}::text[])
       AND (entity, id) NOT IN (SELECT entity, id FROM told)
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
    SELECT entity, id, jsonb_build_array(field, target_module, target_entity, target_id, refused) AS what
      FROM sync.parked WHERE realm = {realm} AND run_id = {undone} AND module = {module}
     UNION
    SELECT entity, id, jsonb_build_array(field, was ->> 'target_module', was ->> 'target_entity', was ->> 'target_id', was -> 'refused')
      FROM sync.former
     WHERE realm = {realm} AND module = {module} AND kind = 'parked' AND was ->> 'run_id' = {undone}
), waited AS (
    SELECT entity, id, jsonb_build_array(field, was ->> 'target_module', was ->> 'target_entity', was ->> 'target_id', was -> 'refused') AS what
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
    SELECT link.entity, link.id, 'beside', link.record_key, NULL::jsonb, NULL::jsonb, NULL::text[], NULL::jsonb
      FROM (TABLE beside EXCEPT TABLE touched) AS own
     CROSS JOIN LATERAL (
           SELECT entity, id, record_key FROM sync.link
            WHERE (realm, entity, id, module) = ({realm}, own.entity, own.id, {module}) LIMIT 1) AS link
     WHERE (own.entity, own.id) NOT IN (SELECT entity, id FROM changed)
     UNION ALL
    SELECT touched.entity, touched.id, 'linked', coalesce(link.record_key, former.was ->> 'record_key'),
           NULL::jsonb, NULL::jsonb, NULL::text[], NULL::jsonb
      FROM touched
      LEFT JOIN LATERAL (
           SELECT record_key FROM sync.link
            WHERE (realm, entity, id, module) = ({realm}, touched.entity, touched.id, {module}) LIMIT 1) AS link ON true
      LEFT JOIN LATERAL (
           SELECT was FROM sync.former
            WHERE (realm, run_id, module, kind, entity, id, field)
                = ({realm}, {undone}, {module}, 'link', touched.entity, touched.id, '') LIMIT 1) AS former ON true
     WHERE (touched.entity, touched.id) NOT IN (SELECT entity, id FROM changed)
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
       NULL::text[] AS doubles,
       NULL::text AS blocked,
       NULL::text AS refusal
  FROM (SELECT * FROM changed
         UNION ALL
        SELECT * FROM linked) AS every (entity, id, did, record_key, was, left_as, reopened, left_alone)
 WHERE NOT {undone_before} OR sync.stands({realm}, {undone}, {module}, entity, id);

-- undoing_index --
ALTER TABLE undoing ADD PRIMARY KEY (n);

-- undoing_record --
CREATE INDEX undoing_record ON undoing (entity, id);

-- undoing_key --
CREATE INDEX undoing_key ON undoing (record_key);

-- undoing_statistics --
ANALYZE undoing;

-- lines_without --
-- Lines as they were, without the columns that their table has no more.
UPDATE undoing
   SET was = undoing.was || told.was, left_as = undoing.left_as || told.left_as
  FROM (SELECT u.n,
               CASE WHEN u.was ? '@lines' THEN jsonb_build_object('@lines', (
                    SELECT coalesce(jsonb_agg(line.row - {gone_of_lines}::text[] ORDER BY line.place), '[]')
                      FROM jsonb_array_elements(u.was -> '@lines') WITH ORDINALITY AS line (row, place)))
                    ELSE '{{}}' END AS was,
               CASE WHEN u.left_as ? '@lines' THEN jsonb_build_object('@lines', (
                    SELECT coalesce(jsonb_agg(line.row - {gone_of_lines}::text[] ORDER BY line.place), '[]')
                      FROM jsonb_array_elements(u.left_as -> '@lines') WITH ORDINALITY AS line (row, place)))
                    ELSE '{{}}' END AS left_as
          FROM undoing AS u) AS told
 WHERE told.n = undoing.n;

-- current --
-- What each record holds now; nobody changes it, and nobody refers to it anew, until this transaction ends.
UPDATE undoing
   SET image = held.image
  FROM (SELECT u.n, to_jsonb(current.*) AS image
          FROM undoing AS u
          JOIN {table} AS current ON current.{key} = u.record_key::{key_type}
           FOR UPDATE OF current) AS held
 WHERE held.n = undoing.n;

-- image_statistics --
-- Until now no record had an image.
ANALYZE undoing (image);

-- current_lines --
-- The lines that each document holds now: those that the mapping fills of them, and the whole rows. Nobody changes these either.
UPDATE undoing
   SET image = image || jsonb_build_object('@lines', held.lines), whole_lines = held.whole
  FROM (SELECT u.n, coalesce(jsonb_agg(to_jsonb(line.*) - {line_unmapped}::text[] ORDER BY line.{position}, line.{line_key})
                                 FILTER (WHERE line.{line_key} IS NOT NULL), '[]') AS lines,
               coalesce(jsonb_agg(to_jsonb(line.*) ORDER BY line.{position}, line.{line_key})
                            FILTER (WHERE line.{line_key} IS NOT NULL), '[]') AS whole
          FROM undoing AS u
          LEFT JOIN (SELECT * FROM {lines} AS own
                      WHERE own.{parent} IN (SELECT record_key::{parent_type} FROM undoing WHERE image IS NOT NULL)
                        FOR UPDATE) AS line ON line.{parent} = u.record_key::{parent_type}
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
                      jsonb_object_agg(split.name, (SELECT to_jsonb(new) -> split.name
                                                     FROM jsonb_to_record(jsonb_build_object(split.name, told.target_key)) AS new
                                                          ({line_record}))) AS left_as
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

-- leads_back --
-- Of a link that leads to no record now, the one that it is to lead to again.
UPDATE undoing
   SET record_key = led.record_key, image = led.image
  FROM (SELECT u.n, former.was ->> 'record_key' AS record_key, to_jsonb(current.*) AS image
          FROM undoing AS u
          JOIN sync.former AS former
            ON (former.realm, former.run_id, former.module, former.kind, former.entity, former.id, former.field)
             = (%(realm)s, %(undone)s, %(module)s, 'link', u.entity, u.id, '')
          JOIN {table} AS current ON current.{key} = (former.was ->> 'record_key')::{key_type}
         WHERE u.action = 'link' AND u.image IS NULL
           FOR UPDATE OF current) AS led
 WHERE led.n = undoing.n;

-- nowhere --
-- A link that leads to no record, before and now, is nothing to undo.
DELETE FROM undoing WHERE action = 'link' AND image IS NULL;
