-- Calls to QuickBooks: taking turns, and reading the ledger.

-- begin --
SELECT turn, wait, spent, in_month
  FROM sync.begin_call(%(realm)s, %(client_id)s, %(run_id)s, %(purpose)s, %(budget)s,
                       %(in_flight)s, %(longest)s, %(counts)s::integer[], %(spans)s::interval[]);

-- end --
SELECT sync.end_call(%(turn)s, %(outcome)s);

-- by_purpose --
-- How often the given runs called QuickBooks, and for what.
SELECT call.realm, call.run_id, purpose, sum(calls)::bigint AS calls
  FROM unnest(%(realms)s::text[], %(run_ids)s::text[]) AS asked (realm, run_id)
  JOIN sync.call AS call
    ON call.realm = asked.realm
   AND call.run_id = asked.run_id
 WHERE calls > 0
 GROUP BY call.realm, call.run_id, purpose
 ORDER BY purpose;

-- budgets --
-- The month in which each of the given runs last called QuickBooks, of the app that it called with.
SELECT DISTINCT ON (call.realm, call.run_id)
       call.realm, call.run_id, budget.client_id, budget.month, budget.used, budget.budget
  FROM unnest(%(realms)s::text[], %(run_ids)s::text[]) AS asked (realm, run_id)
  JOIN sync.call AS call
    ON call.realm = asked.realm
   AND call.run_id = asked.run_id
  JOIN sync.budget AS budget
    ON budget.client_id = call.client_id
   AND budget.month = call.month
 ORDER BY call.realm, call.run_id, budget.month DESC, budget.client_id;

-- budget --
-- This month, of the app that a company's calls were last made with.
SELECT budget.client_id, budget.month, budget.used, budget.budget
  FROM sync.budget AS budget
  JOIN sync.call AS call
    ON call.client_id = budget.client_id
   AND call.month = budget.month
 WHERE call.realm = %(realm)s
   AND budget.month = date_trunc('month', now() AT TIME ZONE 'UTC')
 ORDER BY budget.used DESC
 LIMIT 1;
