-- What of a company waits for a person. Counts end at %(most)s: nobody needs to know more.

-- not_added --
-- What was not added of each module, but for what a person wanted so; since when it was last tried, and in which run.
SELECT asked.module, held.count, held.since, held.run_id
  FROM unnest(%(modules)s::text[]) AS asked (module)
 CROSS JOIN LATERAL (SELECT count(*) AS count, min(held_since) AS since,
                            (array_agg(run_id ORDER BY held_since DESC))[1] AS run_id
                       FROM (SELECT held_since, run_id
                               FROM sync.held
                              WHERE realm = %(realm)s AND held.module = asked.module AND outcome = 'not_added'
                                AND reason NOT IN ('undone', 'unlinked', 'linked', 'erased_on_request')
                              LIMIT %(most)s) AS first_ones) AS held
 WHERE held.count > 0;

-- waiting --
-- References of each module whose record is not in the CRM yet, and since when the oldest of them waits.
SELECT asked.module, parked.count, parked.since, parked.targets
  FROM unnest(%(modules)s::text[]) AS asked (module)
 CROSS JOIN LATERAL (SELECT count(*) AS count, array_agg(DISTINCT target_module) AS targets,
                            (SELECT min(started_at) FROM sync.run
                              WHERE realm = %(realm)s AND run_id = ANY (array_agg(DISTINCT first_ones.run_id))) AS since
                       FROM (SELECT run_id, target_module
                               FROM sync.waiting
                              WHERE realm = %(realm)s AND waiting.module = asked.module
                              LIMIT %(most)s) AS first_ones) AS parked
 WHERE parked.count > 0;

-- last_run --
-- The newest run of a kind that has ended.
SELECT run_id, state, finished_at
  FROM sync.run
 WHERE company = %(company)s
   AND realm = %(realm)s
   AND kind = %(kind)s
   AND state <> 'running'
 ORDER BY started_at DESC
 LIMIT 1;

-- last_read --
-- When a sync last came to its end that had read QuickBooks, whatever became of its modules: that is told of each of them.
SELECT max(finished_at)
  FROM sync.run
 WHERE realm = %(realm)s AND kind = 'sync' AND state <> 'running' AND work IS NOT NULL;

-- at_work --
-- Runs that have not ended. One that is begun again is at work since then. Beside each, of the last ten of its kind that came to
-- their end, by themselves, how long they took and how often they called QuickBooks: the middle one of both.
SELECT run.run_id, run.kind, greatest(run.started_at, lease.taken_at) AS since,
       (SELECT coalesce(sum(calls), 0)::bigint FROM sync.call WHERE realm = run.realm AND run_id = run.run_id) AS calls,
       count(earlier.lasted) AS known,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY earlier.lasted) AS usual,
       coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY earlier.calls), 0) AS usual_calls
  FROM sync.run AS run
  LEFT JOIN sync.lease AS lease ON (lease.realm, lease.run_id) = (run.realm, run.run_id)
  LEFT JOIN LATERAL (
       SELECT finished_at - started_at AS lasted,
              (SELECT coalesce(sum(calls), 0)::bigint FROM sync.call
                WHERE realm = ended.realm AND run_id = ended.run_id) AS calls
         FROM sync.run AS ended
        WHERE ended.company = run.company AND ended.realm = run.realm AND ended.kind = run.kind
          AND (ended.state = 'success' OR ended.state = 'failed' AND ended.work IS NOT NULL AND NOT ended.errors ? 'run')
        ORDER BY ended.started_at DESC LIMIT 10) AS earlier ON true
 WHERE run.company = %(company)s AND run.realm = %(realm)s AND run.state = 'running'
 GROUP BY run.realm, run.run_id, run.kind, run.started_at, lease.taken_at
 ORDER BY since;

-- silent --
-- Webhooks came, and for three days none has, while the schedule found changes that they would have told of.
SELECT came.last_at
  FROM (SELECT max(last_at) AS last_at FROM sync.webhook_count WHERE what = 'accepted') AS came
 WHERE came.last_at < now() - interval '3 days'
   AND EXISTS (SELECT FROM sync.run AS run
                 JOIN sync.activity AS done USING (realm, run_id)
                WHERE run.started_at > came.last_at + interval '1 hour'
                  AND run.kind = 'sync'
                  AND done.added + done.updated > 0);
