-- A document's lines: written right after their documents, in the same transaction, as one record with them.

-- receive --
-- The lines of documents that go on, each with the CRM records that it refers to and its place.
CREATE TEMP TABLE incoming_line ON COMMIT DROP AS
SELECT i.n, line.place AS position,
       {blank} || line.fields || jsonb_build_object({position_name}, line.place) {references} AS fields
  FROM incoming AS i
 CROSS JOIN LATERAL jsonb_array_elements(i.fields -> '@lines') WITH ORDINALITY AS line (fields, place)
 WHERE i.outcome IS NULL;

-- blank --
(SELECT to_jsonb(blank.*) FROM (SELECT {defaults}) AS blank)

-- default --
{default} AS {name}

-- reference --
|| CASE WHEN i.fields ? format('@lines.%%s.%%s', line.place, {name}::text)
        THEN jsonb_build_object({name}, i.fields -> format('@lines.%%s.%%s', line.place, {name}::text)) ELSE '{{}}' END

-- line_index --
ALTER TABLE incoming_line ADD PRIMARY KEY (n, position);

-- line_statistics --
ANALYZE incoming_line (n, position);

-- typed --
-- Whether the table's own types take all values; if not, this fails.
SELECT count(new) FROM incoming_line AS line CROSS JOIN LATERAL jsonb_to_record(line.fields) AS new ({line_record});

-- untypable --
-- Set aside the documents with a line that the table's types do not take, each with the database's reason.
DO $refusals$
DECLARE
    line record;
    context text;
    said text;
BEGIN
    PERFORM FROM incoming_line CROSS JOIN LATERAL jsonb_to_record(fields) AS new ({line_record}) WHERE false;
    FOR line IN SELECT n, position, fields FROM incoming_line ORDER BY n, position LOOP
        BEGIN
            PERFORM FROM jsonb_to_record(line.fields) AS new ({line_record});
        EXCEPTION
            WHEN ASSERT_FAILURE OR QUERY_CANCELED OR OTHERS THEN
                GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                IF NOT sync.is_refusal(SQLSTATE, context) THEN
                    RAISE;
                END IF;
                GET STACKED DIAGNOSTICS said = MESSAGE_TEXT;
                UPDATE incoming
                   SET action = NULL, outcome = 'not_added', reason = 'refused_by_table',
                       message = format('The CRM table refused line %s: %s.', line.position, said),
                       details = jsonb_build_object('line', line.position)
                 WHERE n = line.n AND outcome IS NULL;
        END;
    END LOOP;
END $refusals$;

-- same --
AND i.written -> '@lines'
  = coalesce((SELECT jsonb_agg({line_image} ORDER BY line.{position}, line.{line_key})
                FROM {lines} AS line
               WHERE line.{parent} = i.record_key::{parent_type}), '[]')

-- compare --
-- The lines that each known document has now, and those it is to have. One that is only flagged keeps its lines.
UPDATE incoming
   SET before = before || jsonb_build_object('@lines', compared.held),
       image = image || jsonb_build_object('@lines', CASE WHEN fields ? '@lines' THEN compared.wanted ELSE compared.held END)
  FROM (SELECT i.n, coalesce(held.lines, '[]') AS held, coalesce(wanted.lines, '[]') AS wanted
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT jsonb_agg({image} ORDER BY current.{position}, current.{line_key}) AS lines
                 FROM {lines} AS current
                WHERE current.{parent} = i.record_key::{parent_type}) AS held
         CROSS JOIN LATERAL (
               SELECT jsonb_agg({new_image} ORDER BY line.position) AS lines
                 FROM incoming_line AS line
                 LEFT JOIN LATERAL (
                      SELECT {image} AS image FROM {lines} AS current
                       WHERE current.{parent} = i.record_key::{parent_type} AND current.{position} = line.position
                       ORDER BY current.{line_key} LIMIT 1) AS known ON true
                CROSS JOIN LATERAL jsonb_to_record(coalesce(known.image, '{{}}') {afresh} || line.fields) AS new ({line_record})
                WHERE line.n = i.n) AS wanted
         WHERE i.action = 'update') AS compared
 WHERE compared.n = incoming.n;

-- afresh --
|| CASE WHEN known.image = (SELECT {new_image} FROM jsonb_to_record(known.image || line.fields) AS new ({line_record}))
        THEN '{{}}' ELSE {moving} END

-- put_off --
-- What a table can say in the end, it is not to say of a document without its lines.
SET CONSTRAINTS ALL DEFERRED;

-- judge --
SET CONSTRAINTS ALL IMMEDIATE;

-- pending --
i.outcome IN ('added', 'updated') AND NOT i.after ? '@lines' AND i.fields ? '@lines' AND {which}

-- every_document --
true

-- one_document --
i.n = candidate.n

-- every_line --
true

-- one_line --
line.position = place

-- remove --
-- Lines that the document no longer has, and all but the first of several at one position.
-- They are kept whole, so that an undo can bring them back as they were.
WITH gone AS (
    DELETE FROM {lines} AS current
     USING incoming AS i
     WHERE i.outcome = 'updated' AND {pending} AND current.{parent} = i.record_key::{parent_type}
       AND (NOT EXISTS (SELECT FROM incoming_line AS line WHERE line.n = i.n AND line.position = current.{position})
            OR EXISTS (SELECT FROM {lines} AS other
                        WHERE other.{parent} = current.{parent} AND other.{position} = current.{position}
                          AND other.{line_key} < current.{line_key}))
 RETURNING i.entity, i.id, current.{line_key}::text AS key, to_jsonb(current.*) AS was
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
SELECT current_setting('sync.realm'), current_setting('sync.run_id'), current_setting('sync.module'), 'line', entity, id, key, was
  FROM gone
ON CONFLICT DO NOTHING;

-- change --
UPDATE {lines} AS current
   SET ({columns}) = ROW ({new_values})
  FROM incoming AS i
  JOIN incoming_line AS line ON line.n = i.n
 CROSS JOIN LATERAL (SELECT i.image -> '@lines' -> (line.position - 1)::integer AS image) AS wanted
 CROSS JOIN LATERAL jsonb_to_record(wanted.image) AS new ({line_record})
 WHERE i.outcome = 'updated' AND {pending} AND {which_line}
   AND current.{parent} = i.record_key::{parent_type} AND current.{position} = line.position
   AND {image} <> wanted.image;

-- add --
INSERT INTO {lines} ({parent}, {columns}{company})
SELECT i.record_key::{parent_type}, {new_values}{company_value}
  FROM incoming AS i
  JOIN incoming_line AS line ON line.n = i.n
 CROSS JOIN LATERAL jsonb_to_record(line.fields) AS new ({line_record})
 WHERE {pending} AND {which_line}
   AND NOT EXISTS (SELECT FROM {lines} AS current
                    WHERE current.{parent} = i.record_key::{parent_type} AND current.{position} = line.position)
 ORDER BY i.n, line.position;

-- company_column --
, {company}

-- company_value --
, {company}::text::{type}

-- new_value --
new.{column}

-- value_or_default --
coalesce({value}, {default})

-- tell --
-- What the table has made of the lines becomes part of the document's image.
UPDATE incoming
   SET after = told.after,
       outcome = CASE WHEN outcome = 'updated' AND before = told.after THEN 'unchanged' ELSE outcome END
  FROM (SELECT i.n, i.after || jsonb_build_object('@lines', coalesce(held.lines, '[]')) AS after
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT jsonb_agg({image} ORDER BY current.{position}, current.{line_key}) AS lines
                 FROM {lines} AS current
                WHERE current.{parent} = i.record_key::{parent_type}) AS held
         WHERE i.outcome IN ('added', 'updated', 'unchanged') AND NOT i.after ? '@lines' AND {which}) AS told
 WHERE told.n = incoming.n;

-- left_out --
-- Documents of which a trigger of the line table has left lines out, or put them elsewhere.
SELECT EXISTS (SELECT FROM incoming AS i
                WHERE i.outcome IN ('added', 'updated')
                  AND jsonb_array_length(i.after -> '@lines') < (SELECT count(*) FROM incoming_line AS line WHERE line.n = i.n));

-- one_after_the_other --
{remove};
            FOR place IN SELECT line.position FROM incoming_line AS line JOIN incoming AS i ON i.n = line.n
                          WHERE {pending} ORDER BY line.position LOOP
                {change}
            END LOOP;
            FOR place IN SELECT line.position FROM incoming_line AS line JOIN incoming AS i ON i.n = line.n
                          WHERE {pending} ORDER BY line.position LOOP
                {add};
                PERFORM FROM incoming AS i JOIN {lines} AS current ON current.{parent} = i.record_key::{parent_type}
                  WHERE i.n = candidate.n AND current.{position} = place;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'a trigger left it out without saying why';
                END IF;
            END LOOP;
            place := NULL;
            {judge};
            SET CONSTRAINTS ALL DEFERRED;
            {tell};

-- exchange --
-- Lines that are in each other's way change together: all are taken out and put back, each as it is to be, with its primary
-- key and whatever else it holds. Not where others' records would go with them, or lose what they refer to.
                BEGIN
                    {change};
                EXCEPTION
                    WHEN unique_violation OR exclusion_violation THEN
                        IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = {lines_named}::regclass
                                                               AND confdeltype IN ('c', 'n', 'd')) THEN
                            RAISE;
                        END IF;
                        WITH gone AS (
                            DELETE FROM {lines} AS line
                             USING {wanted}
                         RETURNING to_jsonb(line.*) || wanted.image AS whole
                        )
                        SELECT jsonb_agg(whole) INTO exchanged FROM gone;
                        INSERT INTO {lines} ({every_column}) OVERRIDING SYSTEM VALUE
                        SELECT {every_value}
                          FROM jsonb_array_elements(exchanged) AS one (whole)
                         CROSS JOIN LATERAL jsonb_to_record(one.whole) AS new ({line_record});
                END;

-- wanted --
incoming AS i
                              JOIN incoming_line AS own ON own.n = i.n
                             CROSS JOIN LATERAL (SELECT i.image -> '@lines' -> (own.position - 1)::integer AS image) AS wanted
                             WHERE i.outcome = 'updated' AND {pending}
                               AND line.{parent} = i.record_key::{parent_type} AND line.{position} = own.position
                               AND {line_image} <> wanted.image
