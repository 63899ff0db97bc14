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
