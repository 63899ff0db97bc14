-- Undoing what a run did to one module, carried out and accounted for: on the temporary table `undoing`, a row for each record
-- that the run changed.

-- by_key --
-- What is known of records was perhaps written just now, and has no statistics: Postgres takes it for a few rows, and would
-- look through all that is undone for each of them, or the other way round.
SELECT set_config('enable_seqscan', 'off', true);

-- in_the_name_of --
-- Whose changes these are: sync.former keeps what there was before them.
SELECT set_config('sync.realm', %(realm)s, true), set_config('sync.run_id', %(run_id)s, true),
       set_config('sync.module', %(module)s, true);

-- undone_run --
-- The run that is to be undone, and whether it may still be at work.
SELECT run.company, run.kind, coalesce(run.purged_at, run.emptied_at) IS NOT NULL AS purged,
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
-- The modules that a run changed, and whether what an undo needs was kept. Of one of which it only closed references, the loads
-- that closed them say so.
SELECT module, bool_and(undoable)
  FROM (SELECT module, undoable FROM sync.activity WHERE realm = %(realm)s AND run_id = %(undone)s
         UNION ALL
        SELECT closed.module, load.undoable
          FROM sync.resolved_reference AS closed
          JOIN sync.activity AS load ON (load.realm, load.run_id, load.module) = (closed.realm, closed.run_id, closed.closed_by)
         WHERE closed.realm = %(realm)s AND closed.run_id = %(undone)s) AS changed
 GROUP BY module;

-- hold_images --
-- Whether what an undo of the module needs is still kept; nobody throws it away until the transaction ends.
SELECT bool_and(undoable)
  FROM (SELECT undoable FROM sync.activity
         WHERE realm = %(realm)s AND run_id = %(undone)s
           AND (module = %(module)s
                OR module IN (SELECT closed_by FROM sync.resolved_reference
                               WHERE realm = %(realm)s AND run_id = %(undone)s AND module = %(module)s))
           FOR SHARE) AS held;

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

-- insert --
-- Records that an undo has removed come back as they were, under the same primary key; a column that is new gets its default.
WITH done AS (
    INSERT INTO {table} AS current ({every_column}) OVERRIDING SYSTEM VALUE
    SELECT {every_new}
      FROM undoing AS u
     CROSS JOIN LATERAL (SELECT u.was AS row) AS whole
     CROSS JOIN LATERAL jsonb_to_record(whole.row) AS new ({record})
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
     CROSS JOIN LATERAL jsonb_to_record(u.image || u.was) AS new ({record})
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
 CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') AS whole (row)
 CROSS JOIN LATERAL jsonb_to_record(whole.row) AS new ({line_record})
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
 CROSS JOIN LATERAL jsonb_to_record(before.row) AS new ({line_record})
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
 CROSS JOIN LATERAL (SELECT gone.was || before.row AS row) AS whole
 CROSS JOIN LATERAL jsonb_to_record(whole.row) AS new ({line_record})
 WHERE u.outcome = 'updated' AND u.was ? '@lines' AND NOT u.after ? '@lines' AND {which}
   AND NOT EXISTS (SELECT FROM {lines} AS line
                    WHERE line.{parent} = u.record_key::{parent_type} AND line.{position} = new.{position});

-- add_lines --
INSERT INTO {lines} ({parent}, {line_columns}{company})
SELECT u.record_key::{parent_type}, {new_line_columns}{company_value}
  FROM undoing AS u
 CROSS JOIN LATERAL jsonb_array_elements(u.was -> '@lines') AS before (row)
 CROSS JOIN LATERAL jsonb_to_record(before.row) AS new ({line_record})
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

-- value_or_default --
CASE WHEN whole.row ? {name} THEN new.{column} ELSE {default} END

-- every_row --
true

-- one_row --
-- The row whose turn it is, with those that can only come or go together with it.
u.n = ANY (candidate.members) AND u.refusal IS NULL

-- pending --
SELECT count(*) FROM undoing WHERE outcome IS NULL AND action = %(action)s AND blocked IS NULL;

-- row_by_row --
-- The same statement for one row after the other, for none first; a row that the table refuses keeps the database's reason.
-- All that a row needs has had its turn before, but for what needs the row as well: records that refer to each other in a
-- circle come or go together. A plan for every row would take longer than what is planned.
DO $refusals$
DECLARE
    candidate record;
    circle bigint[];
    context text;
    exchanged jsonb;
    said text;
BEGIN
    PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
    SELECT 0::bigint AS n, ARRAY[]::bigint[] AS members INTO candidate;
    {statement};
    UPDATE undoing SET refusal = NULL WHERE action = {action} AND refusal IS NOT NULL;
    FOR candidate IN {turns} LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM undoing WHERE n = candidate.n AND outcome IS NULL AND refusal IS NULL)
                   OR {action} = 'remove'
                      AND EXISTS (SELECT FROM undoing WHERE n = ANY (candidate.members) AND refusal IS NOT NULL);
        circle := ARRAY (SELECT n FROM undoing WHERE n = ANY (candidate.members) AND outcome IS NULL AND refusal IS NULL);
        BEGIN
            {statement};
            IF EXISTS (SELECT FROM undoing WHERE n = ANY (circle) AND outcome IS NULL) THEN
                RAISE EXCEPTION 'a trigger left the record out or gave it another number';
            END IF;
        EXCEPTION
            WHEN ASSERT_FAILURE OR QUERY_CANCELED OR OTHERS THEN
                GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                IF NOT sync.is_refusal(SQLSTATE, context) THEN
                    RAISE;
                END IF;
                GET STACKED DIAGNOSTICS said = MESSAGE_TEXT;
                UPDATE undoing
                   SET refusal = format('The CRM table refused it%s: %s.', CASE WHEN cardinality(circle) > 1
                                        THEN ', or one of the records that refer to each other in a circle with it' END, said)
                 WHERE n = ANY (circle);
        END;
    END LOOP;
    PERFORM set_config('plan_cache_mode', 'auto', true);
END $refusals$;

-- turns --
-- Each row with all that it needs, itself included; the fewest first.
WITH RECURSIVE needs (n, needed) AS MATERIALIZED ({needs}), along (n, member) AS (
    SELECT n, n FROM undoing WHERE outcome IS NULL AND action = {action} AND blocked IS NULL
     UNION
    SELECT along.n, needs.needed FROM along JOIN needs ON needs.n = along.member
)
SELECT n, array_agg(member) AS members FROM along GROUP BY n ORDER BY count(*), n

-- needs_nothing --
SELECT n, n FROM undoing WHERE false

-- needs --
-- A record that goes needs those that refer to it to go; one that comes back needs those that it refers to.
SELECT CASE u.action WHEN 'remove' THEN u.n ELSE other.n END, CASE u.action WHEN 'remove' THEN other.n ELSE u.n END
  FROM undoing AS u
  JOIN undoing AS other ON ({columns}) = ({meant})
 WHERE u.outcome IS NULL AND u.action = {action} AND u.blocked IS NULL
   AND other.outcome IS NULL AND other.action = {action} AND other.blocked IS NULL

-- held --
coalesce({row}.image, {row}.was) ->> {column}

-- relink --
UPDATE undoing SET outcome = 'unchanged' WHERE outcome IS NULL AND action = 'link';

-- left_over --
UPDATE undoing
   SET outcome = 'kept',
       reason = CASE WHEN refusal IS NULL THEN 'referenced' ELSE 'refused_by_table' END,
       message = coalesce(refusal, blocked, 'Records that could not be removed refer to it.')
 WHERE outcome IS NULL;

-- outcomes --
INSERT INTO sync.outcome (realm, run_id, module, entity, id, outcome, reason, message, details, record_key, before, after, left_alone)
SELECT %(realm)s, %(run_id)s, %(module)s, entity, id, outcome, reason, message,
       CASE WHEN outcome = 'kept' THEN details
            WHEN outcome = 'removed' AND doubles IS NOT NULL THEN jsonb_build_object('doubles', doubles)
            WHEN partial THEN jsonb_build_object('references', reopened) END,
       record_key,
       CASE outcome WHEN 'removed'
                    THEN image || CASE WHEN whole_lines IS NULL THEN '{{}}' ELSE jsonb_build_object('@lines', whole_lines) END
                    WHEN 'updated' THEN left_as END,
       after, {left_alone}
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
SELECT max(loaded_at) FROM sync.activity WHERE realm = %(realm)s AND run_id = %(undone)s;
