-- The same of lines: a document's lines are part of its image.

-- closing --
-- Open references of lines, of documents loaded earlier or just now, to records that are in the CRM now.
CREATE TEMP TABLE closing_line ON COMMIT DROP AS
WITH waiting AS MATERIALIZED (
    SELECT entity, id, field, substring(field FROM '^@lines\.([0-9]+)\.')::bigint AS position,
           target_module, target_entity, target_id
      FROM sync.parked
     WHERE realm = %(realm)s AND module = %(module)s AND target_module = %(referred)s
       AND substring(field FROM '^@lines\.[0-9]+\.(.*)$') = %(field)s AND NOT {of_a_refused_version}
)
SELECT waiting.entity, waiting.id, waiting.field, waiting.position, own.record_key, own.written,
       target.record_key AS target_key, NULL::jsonb AS was, false AS closed
  FROM waiting
 CROSS JOIN LATERAL (
       SELECT record_key, written FROM sync.link
        WHERE (realm, entity, id, module) = (%(realm)s, waiting.entity, waiting.id, %(module)s) LIMIT 1) AS own
 CROSS JOIN LATERAL (
       SELECT record_key FROM sync.target
        WHERE (realm, module, entity, id)
            = (%(realm)s, waiting.target_module, waiting.target_entity, waiting.target_id) LIMIT 1) AS target;

-- closing_statistics --
ANALYZE closing_line;

-- close --
WITH held AS (
    SELECT closing.entity, closing.id, closing.field, coalesce(to_jsonb(current.{column}), 'null') AS was
      FROM closing_line AS closing
      JOIN {lines} AS current ON current.{parent} = closing.record_key::{parent_type} AND current.{position} = closing.position
     WHERE {which}
), changed AS (
    UPDATE {lines} AS current
       SET {column} = closing.target_key::{column_type}
      FROM closing_line AS closing
     WHERE current.{parent} = closing.record_key::{parent_type} AND current.{position} = closing.position AND {which}
 RETURNING closing.entity, closing.id, closing.field
)
UPDATE closing_line AS closing
   SET closed = true, was = held.was
  FROM changed
  JOIN held USING (entity, id, field)
 WHERE (closing.entity, closing.id, closing.field) = (changed.entity, changed.id, changed.field);

-- one_reference --
(closing.entity, closing.id, closing.field) = (candidate.entity, candidate.id, candidate.field)

-- refused --
-- Those of lines that are there, whatever kept the table from taking them.
SELECT count(*)
  FROM closing_line AS closing
 WHERE NOT closed
   AND EXISTS (SELECT FROM {lines} AS current
                WHERE current.{parent} = closing.record_key::{parent_type} AND current.{position} = closing.position);

-- close_documents --
-- Each document once, with what it holds itself, and with the lines it had and has now.
CREATE TEMP TABLE closing_document ON COMMIT DROP AS
SELECT closing.entity, closing.id, own.image AS held, false AS told,
       jsonb_build_object('@lines', coalesce(held.were, '[]')) AS was,
       closing.written || jsonb_build_object('@lines', coalesce(held.lines, '[]')) AS after
  FROM (SELECT DISTINCT ON (entity, id) entity, id, record_key, written FROM closing_line WHERE closed) AS closing
  JOIN (SELECT entity, id, jsonb_object_agg(position, jsonb_build_object({column_name}, was)) AS columns
          FROM closing_line WHERE closed GROUP BY entity, id) AS were USING (entity, id)
 CROSS JOIN LATERAL (
       SELECT {document_image} AS image FROM {table} AS document WHERE document.{key} = closing.record_key::{key_type}) AS own
 CROSS JOIN LATERAL (
       SELECT jsonb_agg({image} ORDER BY current.{position}, current.{line_key}) AS lines,
              jsonb_agg({image} || coalesce(were.columns -> current.{position}::text, '{{}}')
                        ORDER BY current.{position}, current.{line_key}) AS were
         FROM {lines} AS current
        WHERE current.{parent} = closing.record_key::{parent_type}) AS held;

-- close_documents_statistics --
ANALYZE closing_document;

-- close_links --
UPDATE sync.link
   SET written = known.after
  FROM (SELECT own.ctid AS place, document.after
          FROM closing_document AS document
         CROSS JOIN LATERAL (
               SELECT ctid FROM sync.link
                WHERE (realm, entity, id, module) = (%(realm)s, document.entity, document.id, %(module)s) LIMIT 1) AS own
       ) AS known
 WHERE link.ctid = known.place;

-- close_parked --
DELETE FROM sync.parked
 WHERE ctid = ANY (ARRAY (
       SELECT own.ctid
         FROM closing_line AS closing
        CROSS JOIN LATERAL (
              SELECT ctid FROM sync.parked
               WHERE (realm, module, entity, id, field)
                   = (%(realm)s, %(module)s, closing.entity, closing.id, closing.field) LIMIT 1) AS own
        WHERE closing.closed));

-- close_outcomes --
-- What this run said of the document itself includes its lines' references.
WITH told AS (
    UPDATE sync.outcome
       SET after = coalesce(outcome.after, known.held) || jsonb_build_object('@lines', known.after -> '@lines'),
           before = CASE WHEN outcome.outcome = 'unchanged' THEN known.held || known.was
                         WHEN outcome.outcome = 'updated' AND NOT outcome.before ? '@lines' THEN outcome.before || known.was
                         ELSE outcome.before END,
           outcome = CASE WHEN outcome.outcome = 'unchanged' THEN 'updated' ELSE outcome.outcome END
      FROM (SELECT own.ctid AS place, document.entity, document.id, document.held, document.was, document.after
              FROM closing_document AS document
             CROSS JOIN LATERAL (
                   SELECT ctid FROM sync.outcome
                    WHERE (realm, run_id, module, entity, id)
                        = (%(realm)s, %(run_id)s, %(module)s, document.entity, document.id)
                      AND outcome IN ('added', 'updated', 'unchanged') LIMIT 1) AS own) AS known
     WHERE outcome.ctid = known.place
 RETURNING known.entity, known.id
)
UPDATE closing_document AS document SET told = true
  FROM told WHERE (document.entity, document.id) = (told.entity, told.id);

-- close_told --
INSERT INTO sync.resolved_reference (realm, run_id, module, entity, id, field, record_key, target_key, closed_by, was)
SELECT %(realm)s, %(run_id)s, %(module)s, closing.entity, closing.id, closing.field, closing.record_key,
       closing.target_key, %(closed_by)s, closing.was
  FROM closing_line AS closing
  JOIN closing_document AS document ON (document.entity, document.id) = (closing.entity, closing.id)
 WHERE closing.closed AND NOT document.told
ON CONFLICT DO NOTHING;

-- closed --
DROP TABLE pg_temp.closing_line, pg_temp.closing_document;
