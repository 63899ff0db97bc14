-- start --
-- Begin a run, or begin it again when Airflow repeats it; not one of another kind or company that is called the same.
INSERT INTO sync.run AS run (realm, run_id, company, trigger, started_by, kind)
VALUES (%(realm)s, %(run_id)s, %(company)s, %(trigger)s, %(started_by)s, %(kind)s)
ON CONFLICT (realm, run_id) DO UPDATE SET state = 'running', finished_at = NULL, work = NULL,
       errors = '{}', warnings = '{}', blocked = '{}', answer = NULL, answered_by = NULL, answered_at = NULL
 WHERE (run.kind, run.company) = (excluded.kind, excluded.company);

-- has_begun --
SELECT FROM sync.run WHERE (realm, run_id, company, kind) = (%(realm)s, %(run_id)s, %(company)s, %(kind)s);

-- loaded_otherwise --
-- The modules that the run has loaded by another mapping than these. A preview has loaded nothing.
SELECT loaded.module
  FROM sync.run
  JOIN sync.activity AS loaded USING (realm, run_id)
 WHERE run.realm = %(realm)s AND run.run_id = %(run_id)s AND run.kind <> 'preview'
   AND loaded.mapping_hash IS DISTINCT FROM %(mappings)s::jsonb ->> loaded.module
 ORDER BY loaded.module;

-- settle --
-- What this run will use, whatever happens to the files meanwhile. Where that is settled once more, rows that were shaped by then
-- are shaped anew.
WITH shaped AS (
    DELETE FROM sync.stage WHERE realm = %(realm)s AND run_id = %(run_id)s
)
UPDATE sync.run
   SET mappings = %(mappings)s, mapping_names = %(names)s, modules = %(modules)s, settings = %(settings)s
 WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- bring_whole --
UPDATE sync.run SET whole = %(modules)s WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- whole --
SELECT whole FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- asked_for_by --
UPDATE sync.run SET rehearses = %(rehearses)s, reasons = %(reasons)s
 WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- has_activity --
SELECT EXISTS (SELECT FROM sync.activity WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s);

-- snapshot --
INSERT INTO sync.mapping_snapshot (hash, module, content) VALUES (%(hash)s, %(module)s, %(content)s)
ON CONFLICT DO NOTHING;

-- mappings --
-- The mappings of a run: of every module, asked for or not, since records refer to each other.
SELECT used.module, snapshot.content, run.mapping_names ->> used.module
  FROM sync.run AS run
 CROSS JOIN jsonb_each_text(run.mappings) AS used (module, hash)
  JOIN sync.mapping_snapshot AS snapshot ON snapshot.hash = used.hash
 WHERE run.realm = %(realm)s AND run.run_id = %(run_id)s;

-- mapping --
-- One of them.
SELECT snapshot.content
  FROM sync.run AS run
  JOIN sync.mapping_snapshot AS snapshot ON snapshot.hash = run.mappings ->> %(module)s
 WHERE run.realm = %(realm)s AND run.run_id = %(run_id)s;

-- settings --
SELECT settings FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- asked --
SELECT modules FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- lease_row --
INSERT INTO sync.lease (realm) VALUES (%(realm)s) ON CONFLICT DO NOTHING;

-- lease --
-- Who holds the lease, and whether that run has shown a sign of life lately.
SELECT lease.run_id,
       EXISTS (SELECT FROM sync.attempt AS attempt
                WHERE attempt.realm = lease.realm AND attempt.run_id = lease.run_id
                  AND attempt.renewed_at > clock_timestamp() - %(silence)s::interval)
           OR lease.taken_at > clock_timestamp() - %(silence)s::interval AS alive
  FROM sync.lease AS lease
 WHERE lease.realm = %(realm)s
   FOR UPDATE OF lease NOWAIT;

-- realm_of --
-- The companies that have a company of QuickBooks: that were read from it, are bound to it, or had their newest consent there.
SELECT company FROM sync.lease WHERE realm = %(realm)s
 UNION
SELECT company FROM sync.company WHERE realm = %(realm)s
 UNION
SELECT company
  FROM (SELECT DISTINCT ON (company) company, realm FROM sync.consent
         WHERE ended = 'connected' ORDER BY company, asked_at DESC) AS newest
 WHERE realm = %(realm)s;

-- take_lease --
UPDATE sync.lease SET run_id = %(run_id)s, company = %(company)s, taken_at = clock_timestamp() WHERE realm = %(realm)s;

-- release_lease --
UPDATE sync.lease SET run_id = NULL WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- nobody_writes --
-- Waits for nobody: while a load is in its transaction, another run is at work.
SELECT FROM sync.lease WHERE realm = %(realm)s FOR UPDATE NOWAIT;

-- at_work --
-- A long transaction shows that its run is alive, and its end, however it comes, that it is not.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm run', %(realm)s::text, %(run_id)s::text), 0));

-- taking_out --
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm taking out', %(realm)s::text), 0));

-- nothing_taken_out --
-- Shared by all that keep what they have seen before.
SELECT pg_advisory_xact_lock_shared(hashtextextended(concat_ws(' ', 'quickbooks_crm taking out', %(realm)s::text), 0));

-- silent --
-- Other runs that have not ended and have shown no sign of life for long.
WITH known AS MATERIALIZED (
    SELECT run.run_id, run.company,
           greatest(run.started_at, newest.renewed_at,
                    (SELECT taken_at FROM sync.lease WHERE realm = run.realm AND run_id = run.run_id)) AS sign
      FROM sync.run AS run
     CROSS JOIN LATERAL (
           SELECT max(renewed_at) AS renewed_at FROM sync.attempt
            WHERE realm = run.realm AND run_id = run.run_id) AS newest
     WHERE run.realm = %(realm)s AND run.state = 'running' AND run.run_id <> %(run_id)s
), silent AS MATERIALIZED (
    SELECT * FROM known WHERE sign < clock_timestamp() - %(silence)s::interval
)
SELECT run_id, company, sign AT TIME ZONE 'UTC' FROM silent
 WHERE pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm run', %(realm)s::text, run_id), 0))
 ORDER BY sign;

-- came_back --
-- A run that was given up goes on.
UPDATE sync.run SET state = 'running', finished_at = NULL, errors = errors - %(task)s::text
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND errors ? %(task)s::text;

-- attempt --
-- A new try of a task: from now on every older try is refused.
INSERT INTO sync.attempt (realm, task, run_id, epoch)
VALUES (%(realm)s, %(task)s, %(run_id)s, nextval('sync.epoch'))
ON CONFLICT (realm, task) DO UPDATE
   SET run_id = excluded.run_id, epoch = excluded.epoch, renewed_at = clock_timestamp()
RETURNING epoch;

-- end_when_silent --
SELECT set_config('idle_in_transaction_session_timeout',
                  (extract(epoch FROM %(silence)s::interval) * 1000)::bigint::text, true);

-- lease_holder --
-- Shared with the run's other tasks; nobody can take the lease away before this transaction ends.
SELECT run_id FROM sync.lease WHERE realm = %(realm)s FOR SHARE;

-- newest_try --
-- Shared with the try's other connections; a newer try waits until this transaction ends.
SELECT run_id, epoch FROM sync.attempt WHERE realm = %(realm)s AND task = %(task)s FOR SHARE;

-- renew --
UPDATE sync.attempt SET renewed_at = clock_timestamp()
 WHERE realm = %(realm)s AND task = %(task)s AND run_id = %(run_id)s AND epoch = %(epoch)s
   AND renewed_at < clock_timestamp() - %(silence)s::interval / 8;

-- new_generation --
-- What there is to load is unknown again, until this generation is sealed.
WITH begun AS (
    UPDATE sync.run SET work = NULL WHERE realm = %(realm)s AND run_id = %(run_id)s
)
INSERT INTO sync.generation (realm, run_id) VALUES (%(realm)s, %(run_id)s) RETURNING generation;

-- seal_generation --
UPDATE sync.generation SET sealed_at = now() WHERE generation = %(generation)s;

-- extracted --
UPDATE sync.run SET fetched = %(fetched)s, work = %(work)s WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- work --
-- The modules with something to load: changed records, records held back whose mapping or cause changed, records whose
-- references can be closed, the records to which they can be, or, where no run of these modules loads those, that have them, and
-- records that show a changed one.
WITH loaded AS (
    SELECT coalesce(max(generation), 0) AS position FROM sync.module_position WHERE realm = %(realm)s AND module = %(module)s
)
SELECT EXISTS (SELECT FROM sync.generation AS written
                WHERE written.realm = %(realm)s AND written.generation > (SELECT position FROM loaded)
                  AND EXISTS (SELECT FROM quickbooks.record AS record
                               WHERE record.generation = written.generation
                                 AND record.entity = ANY (%(entities)s) LIMIT 1))
    OR (EXISTS (SELECT FROM sync.module_position
                 WHERE realm = %(realm)s AND module = %(module)s AND mapping_hash <> %(hash)s)
        AND EXISTS (SELECT FROM sync.held WHERE realm = %(realm)s AND module = %(module)s))
    OR EXISTS (SELECT FROM sync.held
                WHERE realm = %(realm)s AND module = %(module)s AND due AND entity = ANY (%(entities)s))
    OR EXISTS (SELECT FROM sync.waiting AS parked
                CROSS JOIN LATERAL (
                      SELECT FROM sync.target
                       WHERE (target.realm, target.module, target.entity, target.id)
                           = (parked.realm, parked.target_module, parked.target_entity, parked.target_id) LIMIT 1) AS target
                WHERE parked.realm = %(realm)s AND parked.module = %(module)s AND parked.entity = ANY (%(entities)s)
                  AND (parked.refused OR %(mode)s = 'merge' AND NOT EXISTS (
                       SELECT FROM sync.held
                        WHERE (held.realm, held.module, held.entity, held.id)
                            = (parked.realm, parked.module, parked.entity, parked.id))))
    OR EXISTS (SELECT FROM sync.parked
                CROSS JOIN LATERAL (
                      SELECT record_key FROM sync.target
                       WHERE (target.realm, target.module, target.entity, target.id)
                           = (parked.realm, parked.target_module, parked.target_entity, parked.target_id) LIMIT 1) AS target
                WHERE parked.realm = %(realm)s AND parked.target_module = %(module)s
                  AND (parked.module, regexp_replace(parked.field, '^@lines\.[0-9]+\.', '@lines.'))
                      IN (SELECT * FROM unnest(%(referring)s::text[], %(referring_fields)s::text[]))
                  AND parked.tried IS DISTINCT FROM target.record_key AND parked.refused IS NOT TRUE
                  AND NOT EXISTS (SELECT FROM sync.held
                                   WHERE (held.realm, held.module, held.entity, held.id)
                                       = (parked.realm, parked.module, parked.entity, parked.id)
                                     AND held.reason = 'refused_by_table'))
    OR EXISTS (SELECT FROM sync.parked
                CROSS JOIN LATERAL (
                      SELECT record_key FROM sync.target
                       WHERE (target.realm, target.module, target.entity, target.id)
                           = (parked.realm, parked.target_module, parked.target_entity, parked.target_id) LIMIT 1) AS target
                WHERE parked.realm = %(realm)s AND parked.target_module = ANY (%(elsewhere)s) AND parked.module = %(module)s
                  AND (parked.target_module, regexp_replace(parked.field, '^@lines\.[0-9]+\.', '@lines.'))
                      IN (SELECT * FROM unnest(%(elsewhere)s::text[], %(own_fields)s::text[]))
                  AND parked.tried IS DISTINCT FROM target.record_key AND parked.refused IS NOT TRUE
                  AND NOT EXISTS (SELECT FROM sync.held
                                   WHERE (held.realm, held.module, held.entity, held.id)
                                       = (parked.realm, parked.module, parked.entity, parked.id)
                                     AND held.reason = 'refused_by_table'))
    OR (EXISTS (SELECT FROM sync.shown WHERE realm = %(realm)s AND module = %(module)s)
        AND EXISTS (SELECT FROM sync.generation AS written
                      JOIN sync.shows_changed AS shows ON shows.generation = written.generation
                     WHERE written.realm = %(realm)s AND written.generation > (SELECT position FROM loaded)
                       AND shows.realm = %(realm)s AND shows.module = %(module)s
                       AND shows.shown_entity = ANY (%(looked_up)s)));

-- position --
SELECT generation FROM sync.module_position WHERE realm = %(realm)s AND module = %(module)s;

-- targets --
-- The table that each module has been loaded into.
SELECT module, target FROM sync.module_position WHERE realm = %(realm)s;

-- keys --
-- The primary key that the links of each module hold values of.
SELECT module, target_key FROM sync.module_position WHERE realm = %(realm)s AND target_key IS NOT NULL;

-- sealed --
-- The newest generation that is whole.
SELECT max(generation) FROM sync.generation WHERE realm = %(realm)s AND sealed_at IS NOT NULL;

-- failed --
UPDATE sync.run SET errors = errors || jsonb_build_object(%(task)s::text,
           jsonb_build_object('code', %(code)s::text, 'message', %(message)s::text))
 WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- recovered --
UPDATE sync.run SET errors = errors - %(task)s::text
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND errors ? %(task)s::text;

-- warn --
UPDATE sync.run SET warnings = warnings || jsonb_build_object(%(key)s::text, %(sentence)s::text)
 WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- block --
UPDATE sync.run SET blocked = blocked || jsonb_build_object(%(module)s::text, %(sentence)s::text)
 WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- unblock --
UPDATE sync.run SET blocked = blocked - modules WHERE realm = %(realm)s AND run_id = %(run_id)s AND blocked <> '{}';

-- unfinished --
-- Modules that had work and did not load it (NULL work: extract did not finish) or could not, and tasks whose last
-- try failed.
SELECT CASE WHEN run.work IS NULL THEN '{extract}' ELSE
       ARRAY (SELECT asked.module FROM unnest(run.work) AS asked (module)
               WHERE NOT EXISTS (SELECT FROM sync.activity AS activity
                                  WHERE activity.realm = run.realm AND activity.run_id = run.run_id
                                    AND activity.module = asked.module
                                    AND activity.to_generation >= (SELECT coalesce(max(generation), 0) FROM sync.generation
                                                                    WHERE realm = run.realm AND run_id = run.run_id))
              UNION ALL SELECT jsonb_object_keys(run.blocked)) END,
       ARRAY (SELECT jsonb_object_keys(run.errors) ORDER BY 1)
  FROM sync.run AS run
 WHERE run.realm = %(realm)s AND run.run_id = %(run_id)s;

-- finish --
UPDATE sync.run SET state = %(state)s, finished_at = now() WHERE realm = %(realm)s AND run_id = %(run_id)s;
