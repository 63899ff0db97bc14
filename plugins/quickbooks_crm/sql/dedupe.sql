-- forget_meanings --
DROP TABLE IF EXISTS pg_temp.meant, pg_temp.meaning;

-- meant --
-- The records that staged rows which go on refer to, each once: many rows refer to the same.
CREATE TEMP TABLE meant ON COMMIT DROP AS
SELECT DISTINCT ref.value ->> 'module' AS module, ref.value ->> 'entity' AS entity, ref.value ->> 'id' AS id
  FROM sync.staged
 CROSS JOIN LATERAL jsonb_each(staged.refs) AS ref
 WHERE staged.realm = %(realm)s AND staged.run_id = %(run_id)s AND staged.module = %(module)s AND staged.outcome IS NULL;

-- meaning --
-- The CRM records that these are, looked up in the order in which the links lie: those that are neighbours are read together.
CREATE TEMP TABLE meaning ON COMMIT DROP AS
SELECT meant.module, meant.entity, meant.id, link.record_key
  FROM (SELECT * FROM meant ORDER BY entity, id, module OFFSET 0) AS meant
  LEFT JOIN LATERAL (
       SELECT record_key FROM sync.link
        WHERE (realm, entity, id, module) = (%(realm)s, meant.entity, meant.id, meant.module) LIMIT 1) AS link ON true;

-- meaning_index --
CREATE INDEX meaning_record ON meaning (id, entity, module);

-- meaning_statistics --
ANALYZE meaning;

-- bury_links --
-- Links of records that a person has deleted from the CRM lead nowhere.
WITH gone AS MATERIALIZED (
    SELECT entity, id, record_key
      FROM meaning
     WHERE module = %(referred)s AND record_key IS NOT NULL
       AND NOT EXISTS (SELECT FROM {table} AS current WHERE current.{key} = meaning.record_key::{key_type})
), buried AS (
    DELETE FROM sync.link
     WHERE ctid = ANY (ARRAY (
           SELECT own.ctid
             FROM gone
            CROSS JOIN LATERAL (
                  SELECT ctid, record_key FROM sync.link
                   WHERE (realm, entity, id, module) = (%(realm)s, gone.entity, gone.id, %(referred)s) LIMIT 1) AS own
            WHERE own.record_key = gone.record_key))
 RETURNING realm, module, entity, id
), moved AS (
    INSERT INTO sync.moved (realm, module, entity, id) SELECT realm, module, entity, id FROM buried ON CONFLICT DO NOTHING
)
UPDATE meaning SET record_key = NULL
  FROM gone
 WHERE meaning.module = %(referred)s AND (meaning.entity, meaning.id) = (gone.entity, gone.id);

-- bury_collisions --
-- The same of duplicates, whose references mean the record that they collided with.
WITH buried AS (
    UPDATE sync.held
       SET collides_with = NULL
     WHERE EXISTS (SELECT FROM sync.held WHERE realm = %(realm)s AND module = %(referred)s AND collides_with IS NOT NULL)
       AND ctid = ANY (ARRAY (
           SELECT own.ctid
             FROM meaning
            CROSS JOIN LATERAL (
                  SELECT ctid, collides_with FROM sync.held
                   WHERE (realm, module, entity, id) = (%(realm)s, %(referred)s, meaning.entity, meaning.id)
                     AND collides_with IS NOT NULL LIMIT 1) AS own
            WHERE meaning.module = %(referred)s
              AND NOT EXISTS (SELECT FROM {table} AS current WHERE current.{key} = own.collides_with::{key_type})))
 RETURNING realm, module, entity, id
)
INSERT INTO sync.moved (realm, module, entity, id) SELECT realm, module, entity, id FROM buried ON CONFLICT DO NOTHING;

-- meaning_of_others --
-- Those of duplicates are the records that they collided with, and some were linked just now.
UPDATE meaning SET record_key = known.record_key
  FROM (SELECT meaning.ctid AS place, target.record_key
          FROM meaning
         CROSS JOIN LATERAL (
               SELECT record_key FROM sync.target
                WHERE (realm, module, entity, id) = (%(realm)s, meaning.module, meaning.entity, meaning.id) LIMIT 1) AS target
         WHERE meaning.record_key IS NULL) AS known
 WHERE meaning.ctid = known.place;

-- image --
-- The mapped columns of a row as JSON: made of these alone, that takes less long than to make all and leave the others out.
(SELECT to_jsonb(mapped.*) FROM (SELECT {columns}) AS mapped)

-- incoming --
-- The rows on their way. One is as long as the record, and each time it is changed it is written anew, so few statements
-- change many. What of a row that is long lies apart depends on what takes less time: a document is longest for its lines,
-- and a change of the other values leaves them where they lie; the values of other records are sooner copied than fetched.
CREATE TEMP TABLE incoming (
    n             bigint,
    entity        text,
    id            text,
    state         text,
    fields        jsonb,
    refs          jsonb,
    outcome       text,
    reason        text,
    message       text,
    details       jsonb,
    action        text,
    flag          text,
    record_key    text,
    collides_with text,
    winner        bigint,
    linked        boolean,
    written       jsonb,
    known_agreed  text[],
    known_said    jsonb,
    known_hash    text,
    known_state   text,
    open_refs     jsonb,
    before        jsonb,
    image         jsonb,
    after         jsonb,
    theirs        text[],
    kept          text[],
    notes         jsonb,
    base          jsonb,
    conflicts     jsonb
) WITH (toast_tuple_target = {apart_from}) ON COMMIT DROP;

-- incoming_apart --
ALTER TABLE incoming
    ALTER COLUMN fields SET STORAGE EXTERNAL, ALTER COLUMN refs SET STORAGE EXTERNAL,
    ALTER COLUMN open_refs SET STORAGE EXTERNAL, ALTER COLUMN written SET STORAGE EXTERNAL,
    ALTER COLUMN before SET STORAGE EXTERNAL, ALTER COLUMN image SET STORAGE EXTERNAL,
    ALTER COLUMN after SET STORAGE EXTERNAL;

-- forget_places --
DROP TABLE IF EXISTS pg_temp.placed;

-- places --
-- Where the staged rows lie, in the order in which they win against each other: by QuickBooks id, numeric ids as numbers first.
CREATE TEMP TABLE placed ON COMMIT DROP AS
SELECT ctid AS place, row_number() OVER (ORDER BY CASE WHEN id ~ '^[0-9]+$' THEN id::numeric END, id, entity) AS n
  FROM sync.staged
 WHERE staged.realm = %(realm)s AND staged.run_id = %(run_id)s AND staged.module = %(module)s;

-- receive --
-- The staged rows. Those that have been a CRM record before, and still are, are linked: the link is their identity, and merge
-- brings them up to date. The CRM records that references mean are put in; what is not in the CRM yet stays open. A record of
-- which a reference is open again, and was closed since, is not as it was, though QuickBooks says what it said.
INSERT INTO incoming (n, entity, id, state, fields, refs, outcome, reason, message, details, action, record_key, linked,
                      written, known_agreed, known_said, known_hash, known_state, open_refs)
SELECT placed.n, row.entity, row.id, row.state, row.fields || coalesce(found.closed, '{{}}'), row.refs,
       row.outcome, row.reason, row.message, row.details,
       CASE WHEN %(mode)s::text = 'merge' AND row.outcome IS NULL AND known.record_key IS NOT NULL THEN 'update' END,
       known.record_key, known.record_key IS NOT NULL, known.written, known.agreed, known.said,
       CASE WHEN known.source_hash IS NOT NULL AND found.open IS NOT NULL AND EXISTS (
                 SELECT FROM jsonb_each(found.open) AS ref
                  WHERE NOT EXISTS (
                        SELECT FROM sync.parked
                         WHERE (realm, module, entity, id, field) = (row.realm, row.module, row.entity, row.id, ref.key)
                           AND (target_entity, target_id) = (ref.value ->> 'entity', ref.value ->> 'id')))
            THEN 'closed since' ELSE known.source_hash END,
       known.state, found.open
  FROM placed
 CROSS JOIN LATERAL (SELECT * FROM sync.staged WHERE staged.ctid = placed.place LIMIT 1) AS row
  LEFT JOIN LATERAL (
       SELECT link.record_key, link.written, link.agreed, link.said, link.source_hash, link.state
         FROM (SELECT * FROM sync.link
                WHERE (realm, entity, id, module) = (row.realm, row.entity, row.id, row.module) LIMIT 1) AS link
         JOIN {table} AS current ON current.{key} = link.record_key::{key_type} LIMIT 1) AS known ON true
  LEFT JOIN LATERAL (
       SELECT jsonb_object_agg(ref.key, target.record_key) AS closed,
              jsonb_object_agg(ref.key, ref.value) FILTER (WHERE target.record_key IS NULL) AS open
         FROM jsonb_each(row.refs) AS ref
         LEFT JOIN LATERAL (
              SELECT record_key FROM meaning
               WHERE (id, entity, module) = (ref.value ->> 'id', ref.value ->> 'entity', ref.value ->> 'module') LIMIT 1
              ) AS target ON true
        WHERE row.outcome IS NULL AND row.refs <> '{{}}') AS found ON true;

-- incoming_index --
ALTER TABLE incoming ADD PRIMARY KEY (n);

-- incoming_held --
-- Rows that most loads have few of are found without reading all others.
CREATE INDEX incoming_held ON incoming (n) WHERE outcome IN ('duplicate', 'not_added', 'excluded');

-- incoming_open --
CREATE INDEX incoming_open ON incoming (n) WHERE open_refs IS NOT NULL;

-- incoming_noted --
CREATE INDEX incoming_noted ON incoming (n) WHERE notes IS NOT NULL;

-- incoming_losers --
CREATE INDEX incoming_losers ON incoming (winner) WHERE winner IS NOT NULL;

-- count_again --
-- How many rows have come how far: without knowing it, Postgres compares every row with every other.
ANALYZE incoming (n, entity, id, state, action, outcome, reason, record_key, winner, linked, open_refs, notes);

-- typed --
-- CRM records with the id that a reference means which leads nowhere yet.
SELECT meant.entity, meant.id, typed.record_key
  FROM ({meant}) AS meant
 CROSS JOIN LATERAL (
       SELECT current.{key}::text AS record_key
         FROM {table} AS current
        WHERE {typed_id} = sync.normal(meant.id) AND {scope} AND {kind} LIMIT 2) AS typed
 WHERE meant.entity = ANY (%(entities)s)
   AND NOT EXISTS (SELECT FROM sync.target
                    WHERE (realm, module, entity, id) = (%(realm)s, %(referred)s, meant.entity, meant.id))
   AND NOT EXISTS (SELECT FROM sync.unlinked
                    WHERE (realm, module, entity, id) = (%(realm)s, %(referred)s, meant.entity, meant.id))
   AND NOT EXISTS (SELECT FROM sync.different AS told
                    WHERE (told.realm, told.module, told.entity, told.id, told.record_key)
                        = (%(realm)s, %(referred)s, meant.entity, meant.id, typed.record_key))

-- link_alone --
-- Who links records by their ids does so alone, until it is known which: other loads want the same ones, and other
-- companies the same records of none.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm linking', %(table)s::text), 0));

-- link_typed --
-- A record with the id that a reference means is that QuickBooks record, if there is one such and it is no other.
INSERT INTO sync.link (realm, entity, id, module, record_key, source_hash, written, run_id)
SELECT %(realm)s, entity, id, %(referred)s, min(record_key), '', '{{}}', 'by hand'
  FROM ({typed}) AS typed
 GROUP BY entity, id
HAVING count(*) = 1
   AND NOT EXISTS (SELECT FROM sync.link
                    WHERE record_key = min(typed.record_key)
                      AND module IN (SELECT module FROM sync.module_position WHERE target = %(table)s
                                     UNION ALL SELECT %(referred)s))
ON CONFLICT DO NOTHING;

-- known --
-- Rows of the other modes than merge that alone have found the CRM record in which a person typed their id: that is what they
-- are, whatever it is called later. One that several have found is left to nobody.
SELECT alone.entity, alone.id, alone.state, alone.record_key
  FROM (SELECT i.entity, i.id, i.state, i.record_key, count(*) OVER (PARTITION BY i.record_key) AS finders
          FROM incoming AS i
          JOIN {table} AS current ON current.{key} = i.record_key::{key_type}
         WHERE i.outcome = 'duplicate' AND i.reason = 'key_known' AND NOT i.linked
           AND {typed_id} = sync.normal(i.id) AND {kind}) AS alone
 WHERE alone.finders = 1
   AND NOT EXISTS (SELECT FROM sync.link WHERE module = ANY (%(sharing)s) AND link.record_key = alone.record_key)

-- link_known --
-- From now on they end in the same words as whatever is linked. A link to a record that is gone leads to this one.
WITH known AS (
    INSERT INTO sync.link AS link (realm, entity, id, module, record_key, source_hash, written, state, run_id)
    SELECT %(realm)s, entity, id, %(module)s, record_key, '', '{{}}', state, 'by hand' FROM ({known}) AS known
    ON CONFLICT (realm, entity, id, module) DO UPDATE
       SET record_key = excluded.record_key, source_hash = excluded.source_hash, written = excluded.written,
           agreed = excluded.agreed, said = excluded.said, state = excluded.state, run_id = excluded.run_id, linked_in = excluded.linked_in
 RETURNING link.entity, link.id
)
UPDATE incoming
   SET message = 'The CRM has this QuickBooks record already.'
  FROM known
 WHERE (incoming.entity, incoming.id) = (known.entity, known.id);

-- meant_by_rows --
-- What a load's rows mean and that leads to no CRM record yet, but for rows of the load itself that may come in.
SELECT meaning.entity, meaning.id
  FROM meaning
 WHERE meaning.module = %(referred)s AND meaning.record_key IS NULL
   AND NOT EXISTS (SELECT FROM sync.staged AS own
                    WHERE %(referred)s = %(module)s AND own.outcome IS NULL AND own.state <> 'deleted'
                      AND (own.realm, own.run_id, own.module, own.entity, own.id)
                        = (%(realm)s, %(run_id)s, %(module)s, meaning.entity, meaning.id) OFFSET 0)

-- meant_by_parked --
SELECT DISTINCT target_entity AS entity, target_id AS id
  FROM sync.parked
 WHERE realm = %(realm)s AND target_module = %(referred)s

-- waited_for --
SELECT asked.module
  FROM unnest(%(modules)s::text[]) AS asked (module)
 WHERE EXISTS (SELECT FROM sync.parked WHERE realm = %(realm)s AND target_module = asked.module);

-- flag_linked --
-- The other modes than merge leave alone what the CRM has, but for what tells how it stands in QuickBooks, when that has changed.
-- Such a record goes on waiting for what it waited for. A value that is wrong would not be written, and keeps no flag away.
UPDATE incoming
   SET action = 'update', outcome = NULL, reason = NULL, message = NULL, details = NULL,
       open_refs = (SELECT jsonb_object_agg(field, jsonb_build_object('module', target_module, 'entity', target_entity, 'id', target_id))
                      FROM sync.parked
                     WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, incoming.entity, incoming.id) AND refused IS NOT TRUE),
       fields = coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(fields) WHERE key = ANY (%(flags)s::text[])), '{}')
 WHERE %(mode)s::text <> 'merge' AND linked AND state IS DISTINCT FROM known_state
   AND (outcome IS NULL OR (reason IN ('missing_required', 'invalid_value') AND fields <> '{}'));

-- flag_known --
-- The same of those that were found by the id that a person typed. That is told once: from then on they are linked.
UPDATE incoming
   SET action = 'update', open_refs = NULL, outcome = NULL, reason = NULL, message = NULL, collides_with = NULL,
       fields = coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each(fields) WHERE key = ANY (%(flags)s::text[])), '{{}}')
  FROM ({known}) AS known
 WHERE (incoming.entity, incoming.id) = (known.entity, known.id) AND known.state <> 'active';

-- leave_known --
-- All else they leave alone; and, when that is known, a record of which the CRM holds the flags already.
UPDATE incoming
   SET outcome = 'duplicate', reason = 'key_known', message = 'The CRM has this QuickBooks record already.',
       collides_with = record_key
 WHERE %(mode)s::text <> 'merge' AND (linked AND outcome IS NULL AND action IS NULL OR outcome = 'unchanged');

-- never_here --
-- Deleted in QuickBooks before it ever was in the CRM.
UPDATE incoming
   SET outcome = 'excluded', reason = 'deleted_in_quickbooks',
       message = 'Deleted in QuickBooks before it was in the CRM.'
 WHERE state = 'deleted' AND NOT linked AND outcome IS NULL;

-- forget_values --
DROP TABLE IF EXISTS pg_temp.comparing;

-- values --
-- The normal forms by which rows without a link are compared, from their values as the table would type them.
CREATE TEMP TABLE comparing ON COMMIT DROP AS
SELECT typed.n, {identity_value} AS identity_value, {key_value} AS key_value, {check_values} AS check_values
  FROM (SELECT n, fields, open_refs FROM incoming WHERE outcome IS NULL AND NOT linked OFFSET 0) AS typed
 CROSS JOIN LATERAL jsonb_to_record(typed.fields) AS new ({record});

-- values_statistics --
ANALYZE comparing;

-- normal --
sync.normal({row}.{column}::text)

-- normal_phone --
sync.normal_phone_number({row}.{column}::text)

-- normal_email --
sync.normal_email({row}.{column}::text)

-- normal_number --
-- Of a column that keeps as many decimal places as it is given: 100.0 is 100.
sync.normal(trim_scale({row}.{column})::text)

-- or_open --
-- A reference whose record is not in the CRM yet is known by that of QuickBooks. No normal form begins with a space.
coalesce({value}, ' open ' || ({open}))

-- open_in_row --
(typed.open_refs #>> ARRAY[{name}, 'entity']) || ' ' || (typed.open_refs #>> ARRAY[{name}, 'id'])

-- open_in_record --
(SELECT min(parked.target_entity || ' ' || parked.target_id)
   FROM sync.link
   JOIN sync.parked ON (parked.realm, parked.module, parked.entity, parked.id) = (link.realm, link.module, link.entity, link.id)
  WHERE link.record_key = current.{key}::text AND link.module = ANY (%(sharing)s) AND link.realm = %(realm)s
    AND parked.field = {name} AND parked.refused IS NOT TRUE)

-- combination --
-- Several fields; NULL when one of them is blank: two blanks never match each other.
(SELECT each FROM (SELECT ARRAY[{values}] AS each OFFSET 0) AS combined WHERE array_position(each, NULL) IS NULL)

-- no_combination --
NULL::text[]

-- absent --
NULL::text

-- in_scope --
(current.{company} IS NULL OR current.{company}::text = %(company)s)

-- everywhere --
true

-- of_kind --
sync.normal(current.{within}::text) = sync.normal(%(kinds)s::jsonb ->> {entity})

-- not_told_apart --
{scope} AND NOT EXISTS (SELECT FROM sync.different AS told
                         WHERE (told.record_key, told.other_key, told.module, told.realm)
                             = (current.{key}::text, '', %(module)s, %(realm)s)
                           AND (told.entity, told.id) = (i.entity, i.id))

-- same_value --
-- Rows whose value finds a CRM record: one, several, or one that is another QuickBooks record already.
-- Only merge has rows compete for a record: the other modes leave it to nobody.
WITH holders AS (
    SELECT record_key, min(n) AS n
      FROM incoming
     WHERE NOT linked AND (action = 'update' OR outcome IN ('added', 'updated', 'unchanged'))
     GROUP BY record_key
), hits AS (
    SELECT i.n, array_agg(current.{key}::text ORDER BY current.{key}) AS keys
      FROM comparing
      JOIN incoming AS i ON i.n = comparing.n
      JOIN {table} AS current ON {equal} AND {scope}
     WHERE i.outcome IS NULL AND i.action IS NULL
     GROUP BY i.n
), judged AS (
    SELECT hits.n, hits.keys[1] AS record_key, hits.keys,
           EXISTS (SELECT FROM sync.link WHERE module = ANY (%(sharing)s) AND link.record_key = hits.keys[1]) AS taken,
           coalesce(holders.n, CASE WHEN %(mode)s::text = 'merge'
                                    THEN nullif(min(hits.n) OVER (PARTITION BY hits.keys[1]), hits.n) END) AS rival
      FROM hits
      LEFT JOIN holders ON holders.record_key = hits.keys[1] AND cardinality(hits.keys) = 1
)
UPDATE incoming
   SET action = CASE WHEN cardinality(keys) = 1 AND NOT taken AND rival IS NULL AND %(mode)s::text = 'merge' THEN 'update' END,
       outcome = CASE WHEN cardinality(keys) > 1 THEN 'not_added'
                      WHEN taken OR rival IS NOT NULL OR %(mode)s::text <> 'merge' THEN 'duplicate' END,
       reason = CASE WHEN cardinality(keys) > 1 THEN 'ambiguous_key'
                     WHEN taken THEN 'key_taken'
                     WHEN rival IS NOT NULL THEN 'same_key_in_batch'
                     WHEN %(mode)s::text <> 'merge' THEN 'key_known' END,
       message = CASE WHEN cardinality(keys) > 1
                      THEN format('%%s CRM records have the same %%s.', cardinality(keys), %(label)s::text)
                      WHEN taken THEN format('The CRM record with the same %%s is another QuickBooks record already.', %(label)s::text)
                           || CASE WHEN EXISTS (SELECT FROM sync.link
                                                 WHERE module = ANY (%(sharing)s) AND link.record_key = judged.record_key
                                                   AND realm <> %(realm)s)
                                   THEN %(of_another_company)s::text ELSE '' END
                      WHEN rival IS NOT NULL THEN format('The QuickBooks record %%s has the same %%s.',
                                                         (SELECT id FROM incoming WHERE n = rival), %(label)s::text)
                      WHEN %(mode)s::text <> 'merge' THEN format('The CRM has a record with the same %%s.', %(label)s::text) END,
       details = CASE WHEN cardinality(keys) > 1 THEN jsonb_build_object('candidates', keys[1:20]) END,
       winner = CASE WHEN cardinality(keys) = 1 AND NOT taken THEN rival END,
       record_key = CASE WHEN cardinality(keys) = 1 THEN judged.record_key END,
       collides_with = CASE WHEN cardinality(keys) = 1 THEN judged.record_key END
  FROM judged
 WHERE judged.n = incoming.n;

-- link_with_others --
-- Loads that find records do not stand in each other's way, but in that of who links some by their ids.
SELECT pg_advisory_xact_lock_shared(hashtextextended(concat_ws(' ', 'quickbooks_crm linking', %(table)s::text), 0))
 WHERE EXISTS (SELECT FROM incoming WHERE action = 'update' AND NOT linked);

-- taken_meanwhile --
-- A record of no company may have become another company's while its lock was waited for.
UPDATE incoming
   SET action = NULL, outcome = 'duplicate', reason = 'key_taken', collides_with = record_key,
       message = 'The CRM record that was found is another QuickBooks record already.'
 WHERE action = 'update' AND NOT linked
   AND EXISTS (SELECT FROM sync.link WHERE module = ANY (%(sharing)s) AND link.record_key = incoming.record_key);

-- same_check --
-- Rows that would be the same thing twice: a CRM record is equal on all check fields.
UPDATE incoming
   SET outcome = 'duplicate', reason = 'check_fields', collides_with = hit.record_key,
       message = format('The CRM has a record with the same %%s', %(label)s::text) || coalesce(
           (SELECT format(': that of QuickBooks'' %%s %%s, which is %%s there. If this is another thing, rename the CRM record or tell '
                          'the two apart.', entity, id, CASE state WHEN 'merged' THEN 'merged into another' ELSE state END)
              FROM sync.link
             WHERE module = ANY (%(sharing)s) AND link.record_key = hit.record_key AND realm = %(realm)s AND state <> 'active'
             ORDER BY entity, id LIMIT 1), '.'),
       details = CASE WHEN hit.count > 1 THEN jsonb_build_object('candidates', hit.keys) END
  FROM (SELECT i.n, (array_agg(current.{key}::text ORDER BY current.{key}))[1] AS record_key, count(*) AS count,
               (array_agg(current.{key}::text ORDER BY current.{key}))[1:20] AS keys
          FROM comparing
          JOIN incoming AS i ON i.n = comparing.n
         {join} {table} AS current ON {equal} AND {scope}
         WHERE i.outcome IS NULL AND i.action IS NULL AND comparing.check_values IS NOT NULL
         GROUP BY i.n) AS hit
 WHERE hit.n = incoming.n;

-- any_record --
JOIN

-- same_open --
-- Records that wait for the same one of QuickBooks as the row does.
CROSS JOIN LATERAL (
      SELECT key, value FROM jsonb_each(i.open_refs) WHERE key = ANY ({opens}) LIMIT 1) AS open
  JOIN sync.parked ON parked.realm = %(realm)s AND parked.module = ANY (%(sharing)s) AND parked.field = open.key
   AND parked.target_module = open.value ->> 'module' AND parked.target_entity = open.value ->> 'entity'
   AND parked.target_id = open.value ->> 'id' AND parked.refused IS NOT TRUE
  JOIN sync.link ON (link.realm, link.module, link.entity, link.id) = (parked.realm, parked.module, parked.entity, parked.id)
  JOIN

-- linked_so --
current.{key} = link.record_key::{key_type} AND {equal}

-- equal --
{current_value} = {value}[{position}]

-- equal_value --
{current_value} = {value}

-- equal_part --
{current_value} = ({value}::text[])[{position}]

-- alike --
{current} = {new}

-- in_one --
{values}::text

-- same_in_batch --
-- Among rows that would be added, the first by QuickBooks id wins; each is compared with those that won before it.
DO $$
DECLARE
    candidate record;
    rival bigint;
BEGIN
    CREATE TEMP TABLE winner (kind text, value text, n bigint, PRIMARY KEY (kind, value)) ON COMMIT DROP;
    FOR candidate IN
        WITH waiting AS MATERIALIZED (
            SELECT comparing.* FROM comparing JOIN incoming USING (n) WHERE outcome IS NULL AND action IS NULL
        ), crowded AS (
            SELECT n FROM waiting JOIN (SELECT identity_value FROM waiting GROUP BY 1 HAVING count(*) > 1) AS same USING (identity_value)
             UNION
            SELECT n FROM waiting JOIN (SELECT key_value FROM waiting GROUP BY 1 HAVING count(*) > 1) AS same USING (key_value)
             UNION
            SELECT n FROM waiting JOIN (SELECT check_values FROM waiting GROUP BY 1 HAVING count(*) > 1) AS same USING (check_values)
        )
        SELECT n, md5(identity_value) AS identity_value, md5(key_value) AS key_value,
               md5(check_values::text) AS check_value
          FROM crowded
          JOIN waiting USING (n)
         ORDER BY n
    LOOP
        SELECT min(winner.n) INTO rival FROM winner
         WHERE (kind, value) IN (('identity', candidate.identity_value), ('key', candidate.key_value),
                                 ('check', candidate.check_value));
        IF rival IS NULL THEN
            INSERT INTO winner
            SELECT kind, value, candidate.n
              FROM (VALUES ('identity', candidate.identity_value), ('key', candidate.key_value),
                           ('check', candidate.check_value)) AS own (kind, value)
             WHERE value IS NOT NULL;
        ELSE
            UPDATE incoming
               SET outcome = 'duplicate', reason = 'same_in_batch', winner = rival,
                   message = format('The QuickBooks record %s is the same thing.',
                                    (SELECT id FROM incoming WHERE n = rival))
             WHERE n = candidate.n;
        END IF;
    END LOOP;
    DROP TABLE pg_temp.winner;
END $$;

-- losers_of_refused --
-- A duplicate of a row that the table then refused is no duplicate: it gets its chance.
UPDATE incoming AS loser
   SET outcome = NULL, reason = NULL, message = NULL, winner = NULL, record_key = NULL, collides_with = NULL
  FROM incoming AS refused
 WHERE EXISTS (SELECT FROM incoming WHERE winner IS NOT NULL)
   AND loser.winner IS NOT NULL AND loser.winner = refused.n AND refused.outcome = 'not_added';

-- collisions --
-- A duplicate of a row that was added collides with the record which that row has become.
UPDATE incoming AS loser
   SET collides_with = won.record_key
  FROM incoming AS won
 WHERE EXISTS (SELECT FROM incoming WHERE winner IS NOT NULL)
   AND loser.winner IS NOT NULL AND loser.winner = won.n AND won.outcome = 'added';
