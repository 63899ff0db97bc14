-- What a mapping leaves alone: what new records hold there by themselves, and what people have filled in since.

-- filled_by_triggers --
-- Whether a table, or one behind it, has triggers that may fill columns of new records.
SELECT EXISTS (SELECT FROM pg_trigger
                WHERE tgrelid = ANY (ARRAY (SELECT sync.tables_of(%(schema)s, %(name)s)))
                  AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype::integer & 4 = 4);

-- noted --
-- What is noted of a record that was added, and of lines that were, when all is written.
CASE WHEN {row}.outcome = 'added' THEN {record} {lines}
     WHEN {row}.outcome = 'updated' AND {row}.{before} -> '@lines' IS DISTINCT FROM {row}.after -> '@lines' THEN '{{}}'::jsonb {lines} END

-- nothing --
'{}'::jsonb

-- record --
coalesce((SELECT {image} FROM {table} AS current WHERE current.{key} = {row}.record_key::{key_type}), '{{}}')

-- lines --
|| coalesce((SELECT jsonb_object_agg(concat('@lines.', line.{position}), {image})
               FROM {lines} AS line
              WHERE line.{parent} = {row}.record_key::{parent_type}
                AND NOT EXISTS (SELECT FROM jsonb_array_elements({row}.{before} -> '@lines') AS before (row)
                                 WHERE before.row -> {position_name} = to_jsonb(line.{position}))), '{{}}')

-- told_by_default --
-- Of runs that have noted nothing: whether a table leaves columns alone that nobody fills, since no trigger of its own does.
SELECT NOT EXISTS (SELECT FROM pg_trigger
                    WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal AND tgenabled <> 'D'
                      AND tgtype::integer & 7 = 7) AS so;

-- defaults --
(SELECT to_jsonb(defaults.*) FROM (SELECT {defaults}) AS defaults)

-- default --
{value} AS {name}

-- filling --
-- Records, or lines, that would go and that are other than they were right after they were added: as they were, and as they
-- are now, whole.
CREATE TEMP TABLE filling ON COMMIT DROP AS
SELECT row_number() OVER () AS place, n, record_key, row || differing.fields AS was, row AS now
  FROM ({rows}) AS held
 CROSS JOIN LATERAL (
       SELECT CASE WHEN noted OR {told_by_default} THEN {defaults} ELSE '{{}}' END || coalesce(held.left_alone, '{{}}') AS fields) AS own
 CROSS JOIN LATERAL (
       SELECT jsonb_object_agg(key, value) AS fields FROM jsonb_each(own.fields)
        WHERE key = ANY ({columns}) AND row ? key AND row -> key <> value) AS differing
 WHERE row || own.fields <> row AND differing.fields IS NOT NULL;

-- added_records --
SELECT n, record_key, image AS row, left_alone, left_alone IS NOT NULL AS noted
  FROM undoing
 WHERE outcome IS NULL AND action = 'remove'

-- going_lines --
-- But for those that an undo has brought back just so.
SELECT u.n, u.record_key, line.row, u.left_alone -> concat('@lines.', current.{position}) AS left_alone, u.left_alone IS NOT NULL AS noted
  FROM undoing AS u
 CROSS JOIN LATERAL jsonb_array_elements(u.whole_lines) AS line (row)
 CROSS JOIN LATERAL jsonb_to_record(line.row) AS current ({line_record})
 WHERE u.outcome IS NULL AND {goes}
   AND NOT EXISTS (SELECT FROM sync.former
                    WHERE (id, entity, module, realm)
                        = (u.id, u.entity, current_setting('sync.module'), current_setting('sync.realm'))
                      AND (kind, field) = ('line', current.{line_key}::text) AND was = line.row)

-- put --
-- Put what differs as it was, or as it is now, and touch what the mapping fills.
UPDATE {table} AS current
   SET ({columns}) = ROW ({values})
  FROM filling
 CROSS JOIN LATERAL jsonb_to_record(filling.{as_it}) AS new ({record})
 WHERE {this};

-- value --
new.{column}

-- not_taken --
-- What the table has made something else of.
SELECT filling.place, array_agg(own.key)
  FROM filling
  JOIN {table} AS current ON {this}
 CROSS JOIN LATERAL (SELECT to_jsonb(current.*) AS row) AS held
 CROSS JOIN LATERAL jsonb_each(filling.was) AS own
 WHERE own.value <> filling.now -> own.key
   AND held.row -> own.key <> CASE WHEN own.key = ANY ({put}) THEN filling.{as_it} ELSE filling.now END -> own.key
 GROUP BY filling.place;

-- this_record --
current.{key} = filling.record_key::{key_type}

-- this_line --
current.{parent} = filling.record_key::{parent_type} AND to_jsonb(current.{line_key}) = filling.now -> {line_key_name}

-- kept_by_the_table --
UPDATE filling
   SET was = was || sync.only(now, own.fields)
  FROM (SELECT key::bigint AS place, ARRAY (SELECT jsonb_array_elements_text(value)) AS fields FROM jsonb_each(%(own)s)) AS own
 WHERE own.place = filling.place;

-- filled_since --
-- Added records in which somebody has filled what the mapping leaves alone: removing them would lose it.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since',
       message = format('Changed since by somebody in the CRM: %s.', array_to_string(told.fields, ', ')),
       details = jsonb_build_object('fields', told.fields, 'by', 'somebody in the CRM')
  FROM (SELECT n, ARRAY (SELECT key FROM jsonb_each(was) AS own WHERE value <> now -> key ORDER BY key) AS fields
          FROM filling WHERE was <> now) AS told
 WHERE told.n = undoing.n;

-- lines_filled_since --
-- The same of lines that would go.
UPDATE undoing
   SET outcome = 'kept', reason = 'changed_since', message = 'Changed since by somebody in the CRM: @lines.',
       details = jsonb_build_object('fields', ARRAY['@lines'], 'by', 'somebody in the CRM')
 WHERE n IN (SELECT n FROM filling WHERE was <> now);

-- done --
DROP TABLE pg_temp.filling;
