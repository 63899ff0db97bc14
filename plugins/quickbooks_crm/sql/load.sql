-- settings --
-- The same text for the same value, whatever the server's defaults are; room to sort and join a batch in memory, no
-- joins that sort rows as long as records, nothing remembered of look-ups that are each another one, and statistics from
-- thousands of rows, not from tens of thousands. Who waits for a lock less long than this, such as a rehearsal, goes on doing so.
SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true),
       set_config('IntervalStyle', 'iso_8601', true), set_config('lock_timeout', coalesce(nullif(current_setting('lock_timeout'), '0'), '60s'), true),
       set_config('jit', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_memoize', 'off', true),
       set_config('default_statistics_target', '20', true),
       set_config('work_mem', greatest(pg_size_bytes(current_setting('work_mem')), 67108864) / 1024 || 'kB', true);

-- room_for_rows --
-- Room in memory for the rows on their way; Postgres takes this only before a session's first temporary table.
SELECT set_config('temp_buffers', greatest(pg_size_bytes(current_setting('temp_buffers')), 134217728) / 1024 || 'kB', false)
 WHERE pg_my_temp_schema() = 0;

-- constraints_at_once --
SET CONSTRAINTS ALL IMMEDIATE;

-- one_writer --
-- Writers to the same table and company take turns.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm', %(table)s::text, %(company)s::text), 0));

-- as_it_was --
-- Nothing to do: QuickBooks says what it said, and the CRM holds what the sync wrote last. Most records that are read
-- again are such; every step from here on is spared them, and what they say is told nowhere.
UPDATE incoming
   SET action = NULL, outcome = 'unchanged', fields = '{{}}'
 WHERE ctid = ANY (ARRAY (
       SELECT i.ctid
         FROM incoming AS i
        CROSS JOIN LATERAL (
              SELECT {image} AS held
                FROM {table} AS current
               WHERE current.{key} = i.record_key::{key_type} LIMIT 1
                 FOR NO KEY UPDATE) AS own
        WHERE i.action = 'update' AND i.linked AND i.known_hash = md5(concat_ws(' ', i.state, i.fields, coalesce(i.open_refs, '{{}}')))
          AND i.written - '@lines' = own.held {same_lines} {same_owners}));

-- compare --
-- What each known record holds now, and what it is to hold. A blank in QuickBooks only clears what the sync itself
-- wrote last and nobody has changed since, unless the mapping says that blanks always clear. All else is theirs: what is not as
-- the sync knows it, and what it had only found there.
UPDATE incoming
   SET before = compared.before, image = compared.image, theirs = compared.theirs, kept = compared.kept
  FROM (SELECT i.n, theirs.columns AS theirs, kept.columns AS kept, held.image AS before,
               {new_image} AS image
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT coalesce(current.*) AS record, {image} AS image
                 FROM {table} AS current
                WHERE current.{key} = i.record_key::{key_type} LIMIT 1
                  FOR NO KEY UPDATE) AS held
         CROSS JOIN LATERAL (
               SELECT CASE WHEN i.known_agreed IS NULL AND i.written - '@lines' = held.image THEN '{{}}'::text[]
                      ELSE ARRAY (SELECT own.key FROM jsonb_each(held.image) AS own
                                   WHERE i.written -> own.key IS DISTINCT FROM own.value OR own.key = ANY (i.known_agreed))
                      END AS columns OFFSET 0) AS theirs
         CROSS JOIN LATERAL (
               SELECT ARRAY (SELECT own.key FROM unnest(theirs.columns) AS own (key)
                              WHERE CASE WHEN i.fields ? own.key
                                         THEN i.fields -> own.key = 'null' AND own.key <> ALL (%(always_clear)s::text[])
                                         ELSE i.written -> own.key IS DISTINCT FROM held.image -> own.key END) AS columns
               OFFSET 0) AS kept
         CROSS JOIN LATERAL jsonb_populate_record(held.record, i.fields - kept.columns) AS new
         WHERE i.action = 'update') AS compared
 WHERE compared.n = incoming.n;

-- unchanged --
-- Nothing to write: the record is what it is to be, or the source is as it was and so is the record since our last write,
-- and what it has from other records.
UPDATE incoming
   SET action = NULL, outcome = 'unchanged', after = before
 WHERE action = 'update'
   AND (before = image OR (linked AND md5(concat_ws(' ', state, fields, coalesce(open_refs, '{}'))) = known_hash AND before || written = before
                           AND before || (image - ARRAY (SELECT key FROM jsonb_object_keys(written) AS key
                                                          WHERE key <> ALL (%(inherited)s::text[]))) = before));

-- update --
-- Change the records the CRM already holds.
WITH changed AS (
    UPDATE {table} AS current
       SET ({columns}) = ROW ({new_columns})
      FROM incoming AS i
     CROSS JOIN LATERAL jsonb_to_record(i.image) AS new ({record})
     WHERE {waiting} AND {which} AND current.{key} = i.record_key::{key_type}
 RETURNING i.n, {image} AS after
)
INSERT INTO incoming (n, after)
SELECT n, after FROM changed
ON CONFLICT (n) DO UPDATE
   SET action = NULL, after = excluded.after, collides_with = NULL,
       outcome = CASE WHEN incoming.before = excluded.after THEN 'unchanged' ELSE 'updated' END;

-- next_in_sequence --
nextval({sequence}::regclass)

-- mapped_key --
(SELECT to_jsonb(new) ->> {key} FROM jsonb_to_record(i.fields) AS new ({record}))

-- keys --
SELECT i.n, ({new_key})::text AS record_key, 0 AS below
  FROM incoming AS i
 WHERE {waiting} AND {which}
 ORDER BY i.n

-- forget_keys --
DROP TABLE IF EXISTS pg_temp.given, pg_temp.own_reference;

-- give_keys --
CREATE TEMP TABLE given ON COMMIT DROP AS {keys};

-- given_keys --
SELECT n, record_key, below FROM given

-- refer_to_each_other --
-- References of new records to others that are new with them: closed at once, instead of after them.
CREATE TEMP TABLE own_reference ON COMMIT DROP AS
SELECT i.n, ref.key AS field, given.record_key, other.n AS above
  FROM incoming AS i
 CROSS JOIN LATERAL jsonb_each(i.open_refs) AS ref
  JOIN incoming AS other ON (other.entity, other.id) = (ref.value ->> 'entity', ref.value ->> 'id')
  JOIN given ON given.n = other.n
 WHERE {waiting} AND i.open_refs IS NOT NULL AND ref.key = ANY ({own});

-- own_references --
ANALYZE own_reference;

-- close_own --
-- What is noted of the source is what it would be if each were written by itself, and its references closed thereafter.
UPDATE incoming
   SET fields = incoming.fields || own.closed, open_refs = nullif(incoming.open_refs - own.columns, '{{}}'),
       known_hash = md5(concat_ws(' ', state, fields, open_refs))
  FROM (SELECT n, jsonb_object_agg(field, record_key) AS closed, array_agg(field) AS columns
          FROM own_reference GROUP BY n) AS own
 WHERE own.n = incoming.n;

-- those_above_first --
-- A record is added after those that it refers to: a trigger of the table may look for them. In a circle one comes first.
WITH RECURSIVE way (n, at, passed) AS (
    SELECT n, above, ARRAY[n] FROM own_reference
     UNION ALL
    SELECT way.n, own.above, way.passed || way.at
      FROM way
      JOIN own_reference AS own ON own.n = way.at
     WHERE way.at <> ALL (way.passed)
)
UPDATE given SET below = longest.steps
  FROM (SELECT n, max(cardinality(passed)) AS steps FROM way GROUP BY n) AS longest
 WHERE given.n = longest.n;

-- add --
-- Add the records that the CRM does not hold yet, each under a primary key by which it can be told from the others. They are
-- put in order before they are made, while each is short.
WITH keyed AS MATERIALIZED ({keys}), added AS (
    INSERT INTO {table} AS current ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {values}
      FROM (SELECT * FROM keyed ORDER BY below, n OFFSET 0) AS keyed
     CROSS JOIN LATERAL (SELECT * FROM incoming WHERE n = keyed.n LIMIT 1) AS i
     CROSS JOIN LATERAL jsonb_to_record(i.fields) AS new ({record})
 RETURNING current.{key}::text AS record_key, {image} AS after
)
INSERT INTO incoming (n, record_key, after)
SELECT keyed.n, added.record_key, added.after
  FROM keyed
  JOIN added ON {that_row}
ON CONFLICT (n) DO UPDATE
   SET outcome = 'added', record_key = excluded.record_key, after = excluded.after;

-- key_value --
keyed.record_key::{key_type}

-- company_value --
{company}::text::{type}

-- new_value --
new.{column}

-- new_value_or_default --
coalesce(new.{column}, {default})

-- every_row --
true

-- same_key --
keyed.record_key = added.record_key

-- one_row --
i.n = candidate.n

-- same_row --
true

-- to_update --
i.action = 'update'

-- to_add --
i.action IS NULL AND i.outcome IS NULL

-- left --
-- Whether rows wait to be written; after one statement for all, those that a trigger left out, or gave keys of its own.
SELECT EXISTS (SELECT FROM incoming AS i WHERE {waiting});

-- untypable --
-- Set aside the rows with a value that its column's type does not take, each with the column and the database's reason.
DO $refusals$
DECLARE
    candidate record;
    context text;
    said text;
    broken text;
    named text;
    value record;
BEGIN
    PERFORM FROM incoming CROSS JOIN LATERAL jsonb_to_record(fields) AS new ({record}) WHERE false;
    FOR candidate IN SELECT n, fields FROM incoming WHERE outcome IS NULL ORDER BY n LOOP
        BEGIN
            PERFORM FROM jsonb_to_record(candidate.fields) AS new ({record});
        EXCEPTION
            WHEN ASSERT_FAILURE OR QUERY_CANCELED OR OTHERS THEN
                GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                IF NOT sync.is_refusal(SQLSTATE, context) THEN
                    RAISE;
                END IF;
                GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, broken = CONSTRAINT_NAME;
                named := NULL;
                FOR value IN SELECT key, jsonb_build_object(key, of.value) AS alone FROM jsonb_each(candidate.fields) AS of LOOP
                    BEGIN
                        PERFORM FROM jsonb_to_record(value.alone) AS new ({record});
                    EXCEPTION WHEN OTHERS THEN
                        named := concat_ws(', ', named, value.key);
                    END;
                END LOOP;
                UPDATE incoming
                   SET action = NULL, outcome = 'not_added', reason = 'refused_by_table',
                       message = format('The CRM table refused the record: %s.', concat_ws(': ', named, said)),
                       details = jsonb_strip_nulls(jsonb_build_object('field', named, 'constraint', nullif(broken, '')))
                 WHERE n = candidate.n;
        END;
    END LOOP;
END $refusals$;

-- row_by_row --
-- The same statement for one row after the other; a row that the table refuses keeps the database's reason. One that is
-- refused for what another row still holds is tried again when the others are through, as long as that helps. For no row
-- first: what fails then, such as a right that is missing, is no row's fault. The table may have columns that are called as
-- the variables are.
DO $refusals$
#variable_conflict use_variable
DECLARE
    candidate record;
    context text;
    place bigint;
    exchanged jsonb;
    said text;
    broken text;
    in_the_way bigint;
    until_now bigint;
    last boolean := false;
    upwards boolean := true;
BEGIN
    SELECT 0::bigint AS n INTO candidate;
    {statement};
    {lines}
    LOOP
        in_the_way := 0;
        FOR candidate IN SELECT i.n FROM incoming AS i WHERE {waiting} ORDER BY CASE WHEN upwards THEN i.n ELSE -i.n END LOOP
            BEGIN
                place := NULL;
                {statement};
                {lines}
            EXCEPTION
                WHEN ASSERT_FAILURE OR QUERY_CANCELED OR OTHERS THEN
                    GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                    IF NOT sync.is_refusal(SQLSTATE, context) THEN
                        RAISE;
                    END IF;
                    IF SQLSTATE IN ('23505', '23P01') AND NOT last THEN
                        in_the_way := in_the_way + 1;
                        CONTINUE;
                    END IF;
                    GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, broken = CONSTRAINT_NAME;
                    UPDATE incoming
                       SET action = NULL, outcome = 'not_added', reason = 'refused_by_table',
                           message = CASE WHEN place IS NULL THEN format('The CRM table refused the record: %s.', said)
                                          ELSE format('The CRM table refused line %s: %s.', place, said) END,
                           details = jsonb_strip_nulls(jsonb_build_object('constraint', nullif(broken, ''), 'line', place)),
                           record_key = CASE WHEN linked THEN record_key END
                     WHERE n = candidate.n;
            END;
        END LOOP;
        EXIT WHEN last OR in_the_way = 0;
        last := in_the_way IS NOT DISTINCT FROM until_now;
        until_now := in_the_way;
        upwards := last OR NOT upwards;
    END LOOP;
END $refusals$;

-- dropped --
-- A row that a trigger of the table quietly left out, or that its row-level security hides from what is to change it: then it
-- was not found before, either. New rows that this keeps out are refused with an error.
UPDATE incoming AS i
   SET action = NULL, outcome = 'not_added', reason = 'refused_by_table',
       message = CASE WHEN i.action = 'update' AND i.image IS NULL AND %(guarded)s
                      THEN 'Row-level security of the CRM table hides the record from the sync, which cannot change it so.'
                      WHEN own.triggers IS NOT NULL AND (i.action IS NULL OR i.image IS NOT NULL)
                      THEN format('%%s of the CRM table (%%s) left the record out without saying why.', own.which, own.triggers)
                      ELSE 'A trigger of the CRM table, or its row-level security, left the record out without saying why.' END,
       record_key = CASE WHEN linked THEN record_key END
  FROM (SELECT string_agg(tgname, ', ' ORDER BY tgname) AS triggers,
               CASE count(*) WHEN 1 THEN 'A trigger' ELSE 'One of the triggers' END AS which
          FROM pg_trigger
         WHERE tgrelid = ANY (ARRAY (SELECT sync.tables_of(%(schema)s, %(name)s)))
           AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype::integer & 66 <> 0 AND tgtype::integer & %(event)s <> 0) AS own
 WHERE {waiting};

-- flags --
UPDATE incoming
   SET flag = CASE WHEN state = 'deleted' AND known_state IS DISTINCT FROM 'deleted' THEN 'deleted'
                   WHEN state = 'merged' AND known_state IS DISTINCT FROM 'merged' THEN 'merged'
                   WHEN state = 'inactive' AND known_state = 'active' THEN 'deactivated'
                   WHEN state = 'active' AND known_state IN ('inactive', 'merged', 'deleted') THEN 'reactivated' END
 WHERE outcome = 'updated' AND linked AND state IS DISTINCT FROM known_state;

-- states --
UPDATE sync.link
   SET state = known.state
  FROM (SELECT own.ctid AS place, i.state
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT ctid FROM sync.link
                WHERE (realm, entity, id, module) = (%(realm)s, i.entity, i.id, %(module)s) LIMIT 1) AS own
         WHERE i.outcome = 'duplicate' AND i.linked AND i.state <> i.known_state) AS known
 WHERE link.ctid = known.place;

-- links --
-- Of a record that only QuickBooks says something else of, the link goes on telling which run wrote it. What was theirs, and is
-- what it was, both sides have agreed on; a flag is nobody's opinion.
INSERT INTO sync.link AS known (realm, entity, id, module, record_key, source_hash, written, agreed, said, state, run_id)
SELECT %(realm)s, entity, id, %(module)s, record_key,
       coalesce(CASE WHEN NOT linked THEN known_hash END, md5(concat_ws(' ', state, fields, coalesce(open_refs, '{}')))),
       after - coalesce(kept, '{}'),
       CASE WHEN theirs <> '{}'
            THEN nullif(ARRAY (SELECT own.key FROM unnest(theirs) AS own (key)
                                WHERE before -> own.key = after -> own.key AND after -> own.key <> 'null'
                                  AND own.key <> ALL (kept) AND (state = 'active' OR own.key <> ALL (%(flags)s::text[]))), '{}') END,
       known_said, state,
       CASE WHEN linked AND outcome = 'unchanged' AND state = known_state AND after - coalesce(kept, '{}') = written
            THEN '' ELSE %(run_id)s END
  FROM incoming
 WHERE outcome IN ('added', 'updated')
    OR (outcome = 'unchanged' AND image IS NOT NULL
        AND (md5(concat_ws(' ', state, fields, coalesce(open_refs, '{}'))), state) IS DISTINCT FROM (known_hash, known_state))
ON CONFLICT (realm, entity, id, module) DO UPDATE
   SET record_key = excluded.record_key, source_hash = excluded.source_hash, written = excluded.written,
       agreed = excluded.agreed, said = excluded.said, state = excluded.state, run_id = coalesce(nullif(excluded.run_id, ''), known.run_id);

-- release --
-- Each row looks its own entry up, so that the work stays as small as the batch.
DELETE FROM sync.held
 WHERE EXISTS (SELECT FROM sync.held WHERE realm = %(realm)s AND module = %(module)s)
   AND ctid = ANY (ARRAY (
       SELECT known.ctid
         FROM incoming AS i
        CROSS JOIN LATERAL (
              SELECT ctid FROM sync.held
               WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) AS known));

-- hold --
INSERT INTO sync.held (realm, module, entity, id, outcome, reason, collides_with, mapping_hash, run_id)
SELECT %(realm)s, %(module)s, entity, id, outcome, reason, collides_with, %(hash)s, %(run_id)s
  FROM incoming
 WHERE outcome IN ('duplicate', 'not_added', 'excluded');

-- unpark --
-- A record that was not brought up to date goes on waiting for what it waited for, as far as its mapping still has it.
DELETE FROM sync.parked
 WHERE EXISTS (SELECT FROM sync.parked WHERE realm = %(realm)s AND module = %(module)s)
   AND ctid = ANY (ARRAY (
       SELECT known.ctid
         FROM incoming AS i
        CROSS JOIN LATERAL (
              SELECT ctid, field FROM sync.parked
               WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id)
              OFFSET 0) AS known
        WHERE NOT i.linked OR i.reason IS NULL OR i.reason = 'refused_by_table' AND %(mode)s = 'merge'
           OR regexp_replace(known.field, '^@lines\.[0-9]+', '@lines') <> ALL (%(refers)s::text[])));

-- park --
INSERT INTO sync.parked (realm, module, entity, id, field, target_module, target_entity, target_id, run_id, refused)
SELECT %(realm)s, %(module)s, i.entity, i.id, open.key,
       open.value ->> 'module', open.value ->> 'entity', open.value ->> 'id', %(run_id)s,
       i.outcome = 'not_added'
  FROM incoming AS i
 CROSS JOIN LATERAL jsonb_each(i.open_refs) AS open
 WHERE i.open_refs IS NOT NULL
   AND (i.outcome IN ('added', 'updated', 'unchanged')
        OR i.reason = 'refused_by_table' AND (%(mode)s = 'merge' OR NOT i.linked));

-- position --
INSERT INTO sync.module_position (realm, module, generation, mapping_hash, target, target_key, run_id)
VALUES (%(realm)s, %(module)s, %(generation)s, %(hash)s, %(table)s, %(table_key)s, %(run_id)s)
ON CONFLICT (realm, module) DO UPDATE
   SET generation = excluded.generation, mapping_hash = excluded.mapping_hash, target = excluded.target,
       target_key = excluded.target_key, run_id = excluded.run_id, loaded_at = now();
