-- What the runs of a company did in a time, summed up. Previews have done nothing, and undos are counted apart.

-- outcomes --
SELECT {by}, sum(added)::bigint AS added, sum(updated)::bigint AS updated, sum(unchanged)::bigint AS unchanged,
       sum(duplicate)::bigint AS duplicate, sum(not_added)::bigint AS not_added, sum(excluded)::bigint AS excluded
  FROM sync.run AS run
  JOIN sync.activity AS activity
    ON activity.realm = run.realm
   AND activity.run_id = run.run_id
 WHERE run.company = %(company)s
   AND run.started_at >= %(first)s
   AND run.kind IN ('sync', 'replay', 'retry')
 GROUP BY 1
 ORDER BY 1;

-- by_step --
date_trunc(%(step)s, run.started_at AT TIME ZONE 'UTC')::date AS since

-- by_module --
module

-- calls --
SELECT date_trunc(%(step)s, run.started_at AT TIME ZONE 'UTC')::date AS since, sum(call.calls)::bigint AS calls
  FROM sync.run AS run
  JOIN sync.call AS call
    ON call.realm = run.realm
   AND call.run_id = run.run_id
 WHERE run.company = %(company)s
   AND run.started_at >= %(first)s
   AND call.calls > 0
 GROUP BY since;

-- budgets --
-- The last months of the app that the company's newest run which called QuickBooks has called with.
SELECT budget.month, budget.used, budget.budget
  FROM sync.budget AS budget
 WHERE budget.client_id = (
       SELECT call.client_id
         FROM sync.run AS run
         JOIN sync.call AS call
           ON call.realm = run.realm
          AND call.run_id = run.run_id
        WHERE run.company = %(company)s
          AND call.metered > 0
        ORDER BY run.started_at DESC
        LIMIT 1)
 ORDER BY budget.month DESC
 LIMIT 6;

-- durations --
-- How long syncs took that ended well, in seconds.
SELECT date_trunc(%(step)s, started_at AT TIME ZONE 'UTC')::date AS since,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at)) AS middle,
       max(extract(epoch FROM finished_at - started_at))::double precision AS longest
  FROM sync.run
 WHERE company = %(company)s
   AND started_at >= %(first)s
   AND kind = 'sync'
   AND state = 'success'
   AND finished_at IS NOT NULL
 GROUP BY since;

-- fresh --
-- For each module, the beginning of the newest sync that has brought it up to date, or has found it to be: what QuickBooks
-- had then is in the CRM.
SELECT module.name AS module, newest.started_at AS until
  FROM (SELECT DISTINCT unnest(modules) AS name
          FROM (SELECT modules FROM sync.run
                 WHERE company = %(company)s AND kind = 'sync'
                 ORDER BY started_at DESC
                 LIMIT 20) AS latest) AS module
  LEFT JOIN LATERAL (
       SELECT run.started_at
         FROM sync.run AS run
        WHERE run.company = %(company)s
          AND run.kind = 'sync'
          AND module.name = ANY (run.modules)
          AND run.work IS NOT NULL
          AND NOT run.blocked ? module.name
          AND (module.name <> ALL (run.work)
               OR EXISTS (SELECT FROM sync.activity AS activity
                           WHERE activity.realm = run.realm
                             AND activity.run_id = run.run_id
                             AND activity.module = module.name))
        ORDER BY run.started_at DESC
        LIMIT 1) AS newest ON true
 ORDER BY module.name;
