-- settings --
-- The same text for the same value, whatever the server's defaults are; constraints speak up at once.
SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
       set_config('IntervalStyle', 'iso_8601', true), set_config('lock_timeout', '60s', true);

-- constraints_at_once --
SET CONSTRAINTS ALL IMMEDIATE;

-- one_writer --
-- Writers to the same table and company take turns.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm', %(table)s::text, %(company)s::text), 0));

-- compare --
-- What each known record holds now, and what it is to hold. A blank in QuickBooks only clears what the sync itself
-- wrote last and nobody has changed since, unless the mapping says that blanks always clear.
UPDATE incoming
   SET before = compared.before, image = compared.image
  FROM (SELECT i.n,
               to_jsonb(current) - %(unmapped)s::text[] AS before,
               to_jsonb(new) - %(unmapped)s::text[] AS image
          FROM incoming AS i
          JOIN {table} AS current ON current.{key} = i.record_key::{key_type}
         CROSS JOIN LATERAL (
               SELECT CASE WHEN i.written = to_jsonb(current) - %(unmapped)s::text[] THEN '{{}}'::text[]
                      ELSE ARRAY (SELECT blank.key FROM jsonb_each(i.fields) AS blank
                                   WHERE blank.value = 'null'
                                     AND blank.key <> ALL (%(always_clear)s::text[])
                                     AND i.written -> blank.key IS DISTINCT FROM to_jsonb(current) -> blank.key)
                      END AS columns) AS kept
         CROSS JOIN LATERAL jsonb_populate_record(current, i.fields - kept.columns) AS new
         WHERE i.action = 'update'
           FOR NO KEY UPDATE OF current) AS compared
 WHERE compared.n = incoming.n;

-- unchanged --
-- Nothing to write: the record is what it is to be, or the source is as it was and so is the record since our last write.
UPDATE incoming
   SET action = NULL, outcome = 'unchanged', after = before
 WHERE action = 'update'
   AND (before = image OR (linked AND md5(concat_ws(' ', state, fields)) = known_hash AND before = written));

-- statistics --
-- How many rows have which action now: without knowing it, Postgres compares every row with every other.
ANALYZE incoming (action, outcome, record_key);

-- update --
-- Change the records the CRM already holds.
WITH changed AS (
    UPDATE {table} AS current
       SET ({columns}) = ROW ({new_columns})
      FROM incoming AS i
     CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, i.image) AS new
     WHERE i.action = 'update' AND current.{key} = i.record_key::{key_type} AND {which}
 RETURNING i.n, to_jsonb(current) - {unmapped}::text[] AS after
)
UPDATE incoming
   SET action = NULL, after = changed.after, collides_with = NULL,
       outcome = CASE WHEN incoming.before = changed.after THEN 'unchanged' ELSE 'updated' END
  FROM changed
 WHERE changed.n = incoming.n;

-- new_keys --
-- The primary keys of the records to be added, so that each can be told from the others.
UPDATE incoming SET record_key = ({new_key})::text WHERE action = 'add' AND record_key IS NULL;

-- next_in_sequence --
nextval({sequence}::regclass)

-- mapped_key --
image ->> {key}

-- add --
-- Add the records that the CRM does not hold yet.
WITH added AS (
    INSERT INTO {table} AS current ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {values}
      FROM incoming AS i
     CROSS JOIN LATERAL jsonb_populate_record(NULL::{table}, i.fields) AS new
     WHERE i.action = 'add' AND {which}
     ORDER BY i.n
 RETURNING current.{key}::text AS record_key, to_jsonb(current) - {unmapped}::text[] AS after
)
UPDATE incoming
   SET action = NULL, outcome = 'added', after = added.after
  FROM added
 WHERE incoming.action = 'add' AND incoming.record_key = added.record_key;

-- key_value --
i.record_key::{key_type}

-- company_value --
{company}::text::{type}

-- new_value --
new.{column}

-- new_value_or_default --
coalesce(new.{column}, {default})

-- every_row --
true

-- one_row --
i.n = candidate.n

-- row_by_row --
-- The same statement for one row after the other; a row that the table refuses keeps the database's reason.
DO $refusals$
DECLARE
    candidate record;
    said text;
    broken text;
BEGIN
    FOR candidate IN SELECT n FROM incoming WHERE action = {action} ORDER BY n LOOP
        BEGIN
            {statement};
        EXCEPTION
            WHEN data_exception OR integrity_constraint_violation OR raise_exception OR with_check_option_violation
                 OR program_limit_exceeded OR cardinality_violation THEN
                GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, broken = CONSTRAINT_NAME;
                UPDATE incoming
                   SET action = NULL, outcome = 'not_added', reason = 'refused_by_table',
                       message = format('The CRM table refused the record: %s.', said),
                       details = jsonb_strip_nulls(jsonb_build_object('constraint', nullif(broken, ''))),
                       record_key = CASE WHEN linked THEN record_key END
                 WHERE n = candidate.n;
        END;
    END LOOP;
END $refusals$;

-- dropped --
-- A row that a trigger of the table quietly left out.
UPDATE incoming
   SET action = NULL, outcome = 'not_added', reason = 'refused_by_table',
       message = 'A trigger of the CRM table left the record out without saying why.',
       record_key = CASE WHEN linked THEN record_key END
 WHERE action IS NOT NULL;

-- flags --
UPDATE incoming
   SET flag = CASE WHEN state = 'deleted' AND known_state IS DISTINCT FROM 'deleted' THEN 'deleted'
                   WHEN state = 'inactive' AND known_state = 'active' THEN 'deactivated'
                   WHEN state = 'active' AND known_state IN ('inactive', 'deleted') THEN 'reactivated' END
 WHERE outcome = 'updated' AND linked;

-- links --
INSERT INTO sync.link AS known (realm, entity, id, module, record_key, source_hash, written, state, run_id)
SELECT %(realm)s, entity, id, %(module)s, record_key, md5(concat_ws(' ', state, fields)), after, state, %(run_id)s
  FROM incoming
 WHERE outcome IN ('added', 'updated')
    OR (outcome = 'unchanged' AND (md5(concat_ws(' ', state, fields)), state) IS DISTINCT FROM (known_hash, known_state))
ON CONFLICT (realm, entity, id, module) DO UPDATE
   SET record_key = excluded.record_key, source_hash = excluded.source_hash, written = excluded.written,
       state = excluded.state, run_id = excluded.run_id;

-- release --
DELETE FROM sync.held
 USING incoming
 WHERE held.realm = %(realm)s AND held.module = %(module)s
   AND (held.entity, held.id) = (incoming.entity, incoming.id);

-- hold --
INSERT INTO sync.held (realm, module, entity, id, outcome, reason, collides_with, mapping_hash, run_id)
SELECT %(realm)s, %(module)s, entity, id, outcome, reason, collides_with, %(hash)s, %(run_id)s
  FROM incoming
 WHERE outcome IN ('duplicate', 'not_added', 'excluded');

-- unpark --
-- A record that was not brought up to date goes on waiting for what it waited for.
DELETE FROM sync.parked
 USING incoming
 WHERE parked.realm = %(realm)s AND parked.module = %(module)s
   AND (parked.entity, parked.id) = (incoming.entity, incoming.id)
   AND (NOT incoming.linked OR incoming.reason IS NULL OR incoming.reason = 'refused_by_table');

-- park --
INSERT INTO sync.parked (realm, module, entity, id, field, target_module, target_entity, target_id, run_id)
SELECT %(realm)s, %(module)s, i.entity, i.id, open.key,
       open.value ->> 'module', open.value ->> 'entity', open.value ->> 'id', %(run_id)s
  FROM incoming AS i
 CROSS JOIN LATERAL jsonb_each(i.open_refs) AS open
 WHERE i.outcome IN ('added', 'updated', 'unchanged') OR i.reason = 'refused_by_table';

-- position --
INSERT INTO sync.module_position (realm, module, generation, mapping_hash, run_id)
VALUES (%(realm)s, %(module)s, %(generation)s, %(hash)s, %(run_id)s)
ON CONFLICT (realm, module) DO UPDATE
   SET generation = excluded.generation, mapping_hash = excluded.mapping_hash, run_id = excluded.run_id, loaded_at = now();

-- resolve --
-- Close references, in records loaded earlier or just now, to records that are in the CRM now.
WITH closing AS (
    SELECT parked.entity, parked.id, own.record_key, target.record_key AS target_key
      FROM sync.parked AS parked
      JOIN sync.link AS own
        ON (own.realm, own.module, own.entity, own.id) = (parked.realm, parked.module, parked.entity, parked.id)
      JOIN sync.target AS target
        ON (target.realm, target.module, target.entity, target.id)
         = (parked.realm, parked.target_module, parked.target_entity, parked.target_id)
     WHERE parked.realm = %(realm)s AND parked.module = %(module)s AND parked.field = %(field)s
), changed AS (
    UPDATE {table} AS current
       SET {column} = closing.target_key::{column_type}
      FROM closing
     WHERE current.{key} = closing.record_key::{key_type}
 RETURNING closing.entity, closing.id, closing.record_key, closing.target_key,
           to_jsonb(current) - %(unmapped)s::text[] AS after
), linked AS (
    UPDATE sync.link SET written = changed.after
      FROM changed
     WHERE link.realm = %(realm)s AND link.module = %(module)s
       AND (link.entity, link.id) = (changed.entity, changed.id)
), unparked AS (
    DELETE FROM sync.parked USING changed
     WHERE parked.realm = %(realm)s AND parked.module = %(module)s AND parked.field = %(field)s
       AND (parked.entity, parked.id) = (changed.entity, changed.id)
), told AS (
    UPDATE sync.outcome
       SET after = changed.after,
           before = CASE WHEN outcome.outcome = 'unchanged'
                         THEN changed.after || jsonb_build_object(%(field)s::text, NULL) ELSE outcome.before END,
           outcome = CASE WHEN outcome.outcome = 'unchanged' THEN 'updated' ELSE outcome.outcome END
      FROM changed
     WHERE outcome.realm = %(realm)s AND outcome.run_id = %(run_id)s AND outcome.module = %(module)s
       AND (outcome.entity, outcome.id) = (changed.entity, changed.id)
 RETURNING outcome.entity, outcome.id
)
INSERT INTO sync.resolved_reference (realm, run_id, module, entity, id, field, record_key, target_key, closed_by)
SELECT %(realm)s, %(run_id)s, %(module)s, entity, id, %(field)s, record_key, target_key, %(closed_by)s
  FROM changed
 WHERE NOT EXISTS (SELECT FROM told WHERE (told.entity, told.id) = (changed.entity, changed.id))
ON CONFLICT DO NOTHING;
