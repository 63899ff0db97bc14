-- begin --
-- Room for what lists hold.
DROP TABLE IF EXISTS pg_temp.keyword_field, pg_temp.keyword_known, pg_temp.keyword_spelled, pg_temp.keyword_used,
    pg_temp.keyword_refused;
CREATE TEMP TABLE keyword_refused (list text, value text, said text, broken text, PRIMARY KEY (list, value)) ON COMMIT DROP;
CREATE TEMP TABLE keyword_known (list text, normal text, value text, PRIMARY KEY (list, normal)) ON COMMIT DROP;

-- fields --
-- The fields that hold keywords, those of documents' lines too.
CREATE TEMP TABLE keyword_field ON COMMIT DROP AS
SELECT * FROM jsonb_to_recordset(%(fields)s::jsonb)
    AS field (field text, "column" text, of_lines boolean, label text, list text, several boolean, required boolean, inserts boolean, longest integer);

-- longest --
-- How long a value of the list may be.
SELECT CASE WHEN atttypmod > 4 THEN atttypmod - 4 END
  FROM pg_attribute
 WHERE attrelid = %(values)s::text::regclass AND attname = 'value';

-- listed --
-- A value that people are no longer offered is on the list all the same.
INSERT INTO keyword_known (list, normal, value)
SELECT %(list)s::text, sync.normal(value), value
  FROM {keyword_values}
 WHERE list_id::text = %(list_key)s AND sync.normal(value) IS NOT NULL
 ORDER BY id
ON CONFLICT DO NOTHING;

-- aliases --
INSERT INTO keyword_known (list, normal, value)
SELECT %(list)s::text, sync.normal(other.alias), own.value
  FROM {keyword_aliases} AS other
  JOIN {keyword_values} AS own ON own.id = other.value_id AND own.list_id = other.list_id
 WHERE other.list_id::text = %(list_key)s AND sync.normal(other.alias) IS NOT NULL
 ORDER BY other.id
ON CONFLICT DO NOTHING;

-- what_is_listed --
-- The keywords of a list: when they are others, a refused record may have its own.
(SELECT md5(string_agg(DISTINCT value::text, ', ' ORDER BY value::text)) FROM {keyword_values} WHERE list_id::text = {list_key})

-- what_will_be_listed --
-- The same with those that this load adds: its rows could have had them already. But what the list has refused, it may take
-- beside them.
(SELECT md5(string_agg(DISTINCT keyword.value, ', ' ORDER BY keyword.value))
   FROM (SELECT value::text FROM {keyword_values} WHERE list_id::text = {list_key}
          UNION ALL
         SELECT value FROM keyword_used WHERE list = {list} AND NOT EXISTS (SELECT FROM keyword_refused)) AS keyword)

-- what_aliases --
(SELECT md5(string_agg(concat_ws(' ', value_id, alias), ', ' ORDER BY value_id, alias::text))
   FROM {keyword_aliases} WHERE list_id::text = {list_key})

-- written --
-- The keywords that the mapping itself lists.
INSERT INTO keyword_known (list, normal, value)
SELECT %(list)s::text, sync.normal(value), value
  FROM unnest(%(keywords)s::text[]) AS keyword (value)
 WHERE sync.normal(value) IS NOT NULL
ON CONFLICT DO NOTHING;

-- unlisted --
-- Which of these are on no list, whatever their case or form.
SELECT btrim(keyword.said)
  FROM unnest(%(said)s::text[]) WITH ORDINALITY AS keyword (said, position)
 WHERE sync.normal(keyword.said) IS NOT NULL
   AND NOT EXISTS (SELECT FROM keyword_known AS known WHERE known.normal = sync.normal(keyword.said))
 ORDER BY position;

-- looked_at --
-- What the check has kept out is looked at, too.
(i.outcome IS NULL OR i.reason IN ('missing_required', 'invalid_value'))

-- spelled --
-- What each different cell of each field becomes, which of its keywords are left out and why, and which are new to their list.
-- A new one is spelled as in the first row that has it, or its first line. Rows that the check has kept out are only to be told
-- what else they lack: what nobody but they have is not new.
CREATE TEMP TABLE keyword_spelled ON COMMIT DROP AS
WITH cell AS MATERIALIZED (
    SELECT field.field, i.fields ->> field.field AS cell, min(i.n) FILTER (WHERE i.outcome IS NULL) AS n, NULL::bigint[] AS line
      FROM incoming AS i
     CROSS JOIN keyword_field AS field
     WHERE NOT field.of_lines AND {looked_at} AND i.fields ->> field.field IS NOT NULL
     GROUP BY field.field, i.fields ->> field.field
     UNION ALL
    SELECT field.field, line.fields ->> field."column", min(i.n) FILTER (WHERE i.outcome IS NULL), min(ARRAY[i.n, line.place])
      FROM incoming AS i
     CROSS JOIN LATERAL jsonb_array_elements(i.fields -> '@lines') WITH ORDINALITY AS line (fields, place)
      JOIN keyword_field AS field ON field.of_lines
     WHERE {looked_at} AND line.fields ->> field."column" IS NOT NULL
       AND EXISTS (SELECT FROM keyword_field WHERE of_lines)
     GROUP BY field.field, line.fields ->> field."column"
), said AS MATERIALIZED (
    SELECT cell.field, cell.cell, cell.n, cell.line, part.position, btrim(part.said) AS said, sync.normal(part.said) AS normal,
           field.list, field.inserts, field.longest
      FROM cell
      JOIN keyword_field AS field USING (field)
     CROSS JOIN LATERAL unnest(CASE WHEN field.several THEN string_to_array(cell.cell, %(separator)s) ELSE ARRAY[cell.cell] END)
           WITH ORDINALITY AS part (said, position)
     WHERE sync.normal(part.said) IS NOT NULL
), unknown AS MATERIALIZED (
    SELECT DISTINCT ON (list, normal) list, normal, said AS value
      FROM said
     WHERE inserts AND length(said) <= coalesce(longest, length(said))
       AND NOT EXISTS (SELECT FROM keyword_known AS known WHERE (known.list, known.normal) = (said.list, said.normal))
     ORDER BY list, normal, n, line NULLS FIRST, position
), meant AS (
    SELECT said.field, said.cell, coalesce(known.value, unknown.value) AS value,
           min(said.position) AS position, min(said.said) AS said,
           bool_or(known.value IS NULL) AS is_new
      FROM said
      LEFT JOIN keyword_known AS known ON (known.list, known.normal) = (said.list, said.normal)
      LEFT JOIN unknown ON (unknown.list, unknown.normal) = (said.list, said.normal)
     GROUP BY said.field, said.cell, coalesce(known.value, unknown.value),
              CASE WHEN coalesce(known.value, unknown.value) IS NULL THEN said.normal END
)
SELECT cell.field, cell.cell, field.label, field.required, field.list,
       CASE WHEN field.inserts THEN 'invalid_value' ELSE 'unknown_keyword' END AS reason,
       CASE WHEN field.inserts THEN format('is longer than %%s characters', field.longest)
            ELSE 'is not on the list of keywords' END AS rule,
       CASE WHEN field.several THEN jsonb_agg(meant.value ORDER BY meant.position) FILTER (WHERE meant.value IS NOT NULL)
            ELSE to_jsonb(min(meant.value)) END AS value,
       array_agg(meant.said ORDER BY meant.position) FILTER (WHERE meant.said IS NOT NULL AND meant.value IS NULL) AS dropped,
       array_agg(meant.value ORDER BY meant.position) FILTER (WHERE meant.value IS NOT NULL AND meant.is_new AND cell.n IS NOT NULL) AS new
  FROM cell
  JOIN keyword_field AS field USING (field)
  LEFT JOIN meant ON (meant.field, meant.cell) = (cell.field, cell.cell)
 GROUP BY cell.field, cell.cell, field.label, field.required, field.list, field.several, field.inserts,
          field.longest;

-- statistics --
ANALYZE keyword_spelled;

-- spell --
-- Rows whose keywords are spelled otherwise than in QuickBooks, or left out; what was left out is noted on them.
UPDATE incoming
   SET fields = incoming.fields || meant.fields,
       notes = CASE WHEN meant.notes IS NULL THEN incoming.notes ELSE coalesce(incoming.notes, '[]') || meant.notes END
  FROM (SELECT i.n, jsonb_object_agg(spelled.field, coalesce(spelled.value, 'null')) AS fields,
               jsonb_agg(note.said ORDER BY spelled.field, note.position) FILTER (WHERE note.said IS NOT NULL) AS notes
          FROM incoming AS i
         CROSS JOIN keyword_field AS field
          JOIN keyword_spelled AS spelled ON (spelled.field, spelled.cell) = (field.field, i.fields ->> field.field)
          LEFT JOIN LATERAL (
               SELECT jsonb_build_object('reason', spelled.reason, 'field', spelled.field, 'label', spelled.label,
                                         'value', left(dropped.said, 40), 'rule', spelled.rule) AS said,
                      dropped.position
                 FROM unnest(spelled.dropped) WITH ORDINALITY AS dropped (said, position)) AS note ON true
         WHERE NOT field.of_lines AND {looked_at} AND to_jsonb(spelled.cell) IS DISTINCT FROM spelled.value
         GROUP BY i.n) AS meant
 WHERE meant.n = incoming.n;

-- spell_lines --
-- The same of documents' lines; what was left out is noted on the document, with the place of the line.
WITH line AS MATERIALIZED (
    SELECT i.n, own.place, own.fields
      FROM incoming AS i
     CROSS JOIN LATERAL jsonb_array_elements(i.fields -> '@lines') WITH ORDINALITY AS own (fields, place)
     WHERE {looked_at}
), spelling AS MATERIALIZED (
    SELECT line.n, line.place, field."column", spelled.label, coalesce(spelled.value, 'null') AS value, spelled.dropped,
           spelled.reason, spelled.rule
      FROM line
     CROSS JOIN keyword_field AS field
      JOIN keyword_spelled AS spelled ON (spelled.field, spelled.cell) = (field.field, line.fields ->> field."column")
     WHERE field.of_lines AND to_jsonb(spelled.cell) IS DISTINCT FROM spelled.value
), changed AS (
    SELECT n, place, jsonb_object_agg("column", value) AS fields FROM spelling GROUP BY n, place
), whole AS (
    SELECT n, jsonb_agg(line.fields || coalesce(changed.fields, '{{}}') ORDER BY place) AS lines
      FROM line
      LEFT JOIN changed USING (n, place)
     WHERE n IN (SELECT n FROM changed)
     GROUP BY n
), noted AS (
    SELECT n, jsonb_agg(jsonb_build_object('reason', reason, 'line', place, 'field', "column", 'label', label,
                                           'value', left(left_out.said, 40), 'rule', rule)
                        ORDER BY place, "column", left_out.position) AS notes
      FROM spelling
     CROSS JOIN LATERAL unnest(dropped) WITH ORDINALITY AS left_out (said, position)
     GROUP BY n
)
UPDATE incoming
   SET fields = incoming.fields || jsonb_build_object('@lines', whole.lines),
       notes = CASE WHEN noted.notes IS NULL THEN incoming.notes ELSE coalesce(incoming.notes, '[]') || noted.notes END
  FROM whole
  LEFT JOIN noted USING (n)
 WHERE whole.n = incoming.n;

-- try --
-- Which new keywords their list does not take, each with the database's reason. They are added one by one, and all taken off
-- again: which of them records need is not known yet.
DO $refusals$
DECLARE
    keyword record;
    context text;
    said text;
    broken text;
    refused jsonb := '[]';
BEGIN
    INSERT INTO {keyword_values} (list_id, value) SELECT list_id, value FROM {keyword_values} WHERE false;
    BEGIN
        FOR keyword IN SELECT DISTINCT new.value FROM keyword_spelled AS spelled CROSS JOIN unnest(spelled.new) AS new (value)
                        WHERE spelled.list = {list} ORDER BY new.value LOOP
            BEGIN
                INSERT INTO {keyword_values} (list_id, value)
                SELECT new.list_id, new.value
                  FROM jsonb_populate_record(NULL::{keyword_values},
                                             jsonb_build_object('list_id', {list_key}::text, 'value', keyword.value)) AS new;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'a trigger left it out without saying why';
                END IF;
            EXCEPTION
                WHEN ASSERT_FAILURE OR QUERY_CANCELED OR OTHERS THEN
                    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                    IF NOT sync.is_refusal(SQLSTATE, context) THEN
                        RAISE;
                    END IF;
                    CONTINUE WHEN EXISTS (SELECT FROM {keyword_values} AS own
                                           WHERE own.list_id::text = {list_key}
                                             AND sync.normal(own.value) = sync.normal(keyword.value));
                    GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, broken = CONSTRAINT_NAME;
                    refused := refused || jsonb_build_object('value', keyword.value, 'said', said, 'broken', nullif(broken, ''));
            END;
        END LOOP;
        RAISE EXCEPTION USING ERRCODE = 'QBC01';
    EXCEPTION
        WHEN SQLSTATE 'QBC01' THEN
            INSERT INTO keyword_refused (list, value, said, broken)
            SELECT {list}, * FROM jsonb_to_recordset(refused) AS one (value text, said text, broken text);
    END;
END $refusals$;

-- any_refused --
SELECT EXISTS (SELECT FROM keyword_refused);

-- needing_refused --
-- The rows that were written with a keyword that its list does not take, and had it not before.
SELECT coalesce(array_agg(DISTINCT i.n), '{}')
  FROM incoming AS i
 CROSS JOIN keyword_field AS field
 CROSS JOIN LATERAL (
       SELECT i.after AS image, i.before -> field."column" IS NOT DISTINCT FROM i.after -> field."column" AS had
        WHERE NOT field.of_lines
        UNION ALL
       SELECT line.image, coalesce(i.before -> '@lines' @> jsonb_build_array(
                                       jsonb_build_object(field."column", line.image -> field."column")), false)
         FROM jsonb_array_elements(i.after -> '@lines') AS line (image)
        WHERE field.of_lines) AS own
 CROSS JOIN LATERAL jsonb_array_elements_text(
       CASE WHEN field.several THEN own.image -> field."column" ELSE jsonb_build_array(own.image -> field."column") END) AS held (value)
  JOIN keyword_refused AS refused ON (refused.list, refused.value) = (field.list, held.value)
 WHERE i.outcome IN ('added', 'updated') AND own.image ->> field."column" IS NOT NULL AND NOT own.had;

-- set_aside --
UPDATE incoming
   SET action = NULL, outcome = 'not_added', reason = 'refused_by_table',
       message = concat('Line ' || meant.line || ': ',
                        format('The keyword list of %%s refused ''%%s'': %%s.', meant.label, left(meant.value, 40), meant.said)),
       details = jsonb_strip_nulls(jsonb_build_object(
           'line', meant.line, 'field', meant."column", 'label', meant.label, 'value', left(meant.value, 40), 'constraint', meant.broken))
  FROM (SELECT DISTINCT ON (i.n) i.n, own.line, field."column", field.label, refused.value, refused.said, refused.broken
          FROM incoming AS i
         CROSS JOIN keyword_field AS field
         CROSS JOIN LATERAL (
               SELECT NULL::bigint AS line, i.fields WHERE NOT field.of_lines
                UNION ALL
               SELECT line.place, line.fields
                 FROM jsonb_array_elements(i.fields -> '@lines') WITH ORDINALITY AS line (fields, place)
                WHERE field.of_lines) AS own
         CROSS JOIN LATERAL jsonb_array_elements_text(
               CASE WHEN field.several THEN own.fields -> field."column"
                    ELSE jsonb_build_array(own.fields -> field."column") END) AS said (value)
          JOIN keyword_refused AS refused ON (refused.list, refused.value) = (field.list, said.value)
         WHERE i.n = ANY (%(rows)s::bigint[]) AND own.fields ->> field."column" IS NOT NULL
         ORDER BY i.n, own.line NULLS FIRST, field.field, refused.value) AS meant
 WHERE meant.n = incoming.n;

-- unfit --
-- A new keyword that is too long for its list or its column keeps the row out, and so does a required field whose keywords were
-- all left out, which is blank.
UPDATE incoming
   SET action = NULL, outcome = 'not_added', reason = greatest(incoming.reason, unfit.reason),
       message = concat_ws(' ', incoming.message, unfit.message), details = coalesce(incoming.details, '[]') || unfit.details,
       notes = (SELECT jsonb_agg(note) FROM jsonb_array_elements(incoming.notes) AS note WHERE note ->> 'reason' <> 'invalid_value')
  FROM (SELECT i.n, max(problem.said ->> 'reason') AS reason,
               string_agg(concat('Line ' || problem.line || ': ', problem.said ->> 'label', ' ''' || (problem.said ->> 'value') || '''',
                                 ' ', problem.said ->> 'rule', '.'),
                          ' ' ORDER BY problem.line NULLS FIRST, problem.said ->> 'label', problem.said ->> 'value') AS message,
               jsonb_agg(problem.said ORDER BY problem.line NULLS FIRST, problem.said ->> 'label', problem.said ->> 'value') AS details
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT (note ->> 'line')::bigint AS line, note AS said
                 FROM jsonb_array_elements(i.notes) AS note
                WHERE note ->> 'reason' = 'invalid_value'
                UNION ALL
               SELECT own.line, jsonb_strip_nulls(jsonb_build_object(
                          'reason', 'missing_required', 'line', own.line, 'field', field."column", 'label', field.label,
                          'rule', 'is required, and no keyword of it is on its list'))
                 FROM keyword_field AS field
                CROSS JOIN LATERAL (
                      SELECT NULL::bigint AS line, i.fields WHERE NOT field.of_lines
                       UNION ALL
                      SELECT line.place, line.fields
                        FROM jsonb_array_elements(i.fields -> '@lines') WITH ORDINALITY AS line (fields, place)
                       WHERE field.of_lines) AS own
                WHERE field.required AND own.fields -> field."column" = 'null'
                  AND EXISTS (SELECT FROM jsonb_array_elements(i.notes) AS note
                               WHERE note ->> 'field' = field."column" AND (note ->> 'line')::bigint IS NOT DISTINCT FROM own.line
                                 AND note ->> 'reason' <> 'invalid_value')) AS problem
         WHERE {looked_at}
           AND i.notes IS NOT NULL AND EXISTS (SELECT FROM keyword_field WHERE required OR inserts)
         GROUP BY i.n) AS unfit
 WHERE unfit.n = incoming.n;

-- used --
-- The new keywords that records of the CRM have got.
CREATE TEMP TABLE keyword_used ON COMMIT DROP AS
SELECT DISTINCT new.field, new.list, new.value
  FROM (SELECT DISTINCT spelled.field, spelled.list, keyword.value
          FROM keyword_spelled AS spelled CROSS JOIN unnest(spelled.new) AS keyword (value)
         WHERE NOT EXISTS (SELECT FROM keyword_refused AS refused
                            WHERE (refused.list, refused.value) = (spelled.list, keyword.value))) AS new
  JOIN (SELECT DISTINCT field.field, held.value
          FROM incoming AS i
          JOIN keyword_field AS field ON EXISTS (SELECT FROM keyword_spelled WHERE new IS NOT NULL AND keyword_spelled.field = field.field)
         CROSS JOIN LATERAL (
               SELECT coalesce(i.after, i.written) AS image WHERE NOT field.of_lines
                UNION ALL
               SELECT line.image FROM jsonb_array_elements(coalesce(i.after, i.written) -> '@lines') AS line (image)
                WHERE field.of_lines) AS own
         CROSS JOIN LATERAL jsonb_array_elements_text(
               CASE WHEN field.several THEN own.image -> field."column"
                    ELSE jsonb_build_array(own.image -> field."column") END) AS held (value)
         WHERE i.outcome IN ('added', 'updated', 'unchanged') AND own.image ->> field."column" IS NOT NULL) AS held
    ON (held.field, held.value) = (new.field, new.value);

-- one_writer --
SELECT pg_advisory_xact_lock(hashtextextended('quickbooks_crm ' || %(list)s::text, 0))
  FROM (SELECT FROM keyword_used WHERE list = %(list)s LIMIT 1) AS used;

-- join --
-- Those that nobody has added meanwhile.
WITH joined AS (
    INSERT INTO {keyword_values} (list_id, value)
    SELECT new.list_id, new.value
      FROM (SELECT DISTINCT value FROM keyword_used WHERE list = %(list)s) AS used
     CROSS JOIN LATERAL jsonb_populate_record(
           NULL::{keyword_values}, jsonb_build_object('list_id', %(list_key)s::text, 'value', used.value)) AS new
     WHERE NOT EXISTS (SELECT FROM {keyword_values} AS own
                        WHERE own.list_id = new.list_id AND sync.normal(own.value) = sync.normal(new.value))
     ORDER BY sync.normal(new.value)
    RETURNING id, value
)
INSERT INTO sync.added_keyword (realm, run_id, module, field, value, list, list_key, value_key)
SELECT %(realm)s::text, %(run_id)s::text, %(module)s::text, used.field, joined.value, %(values)s::text, %(list_key)s::text, joined.id::text
  FROM joined
  JOIN keyword_used AS used ON used.list = %(list)s AND used.value = joined.value
ON CONFLICT (realm, run_id, module, field, value) DO UPDATE SET value_key = excluded.value_key;

-- same --
-- Keywords that the list now spells otherwise than the records: another load was quicker.
SELECT count(*)
  FROM keyword_used AS used
  JOIN {keyword_values} AS own ON own.list_id::text = %(list_key)s AND sync.normal(own.value) = sync.normal(used.value)
 WHERE used.list = %(list)s AND own.value <> used.value;
