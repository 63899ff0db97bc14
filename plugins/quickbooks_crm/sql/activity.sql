-- Reading what the runs did. The load writes it, in the transaction that writes the rows.

-- patience --
-- A reader waits this long for an answer, not longer.
SELECT set_config('statement_timeout', %(milliseconds)s, true);

-- companies --
-- The companies that have run, found by jumping from one to the next in the index.
WITH RECURSIVE found (company) AS (
    (SELECT company
       FROM sync.run
      ORDER BY company
      LIMIT 1)
    UNION ALL
    SELECT (SELECT run.company
              FROM sync.run
             WHERE run.company > found.company
             ORDER BY run.company
             LIMIT 1)
      FROM found
     WHERE found.company IS NOT NULL)
SELECT company
  FROM found
 WHERE company IS NOT NULL;

-- runs --
-- The newest runs of each company, of which the newest are kept: the time it takes grows with the
-- companies asked for, never with the runs there have been.
SELECT latest.*
  FROM unnest(%(companies)s::text[]) AS asked (company)
 CROSS JOIN LATERAL (
       SELECT realm, run_id, company, trigger, started_by, started_at, finished_at, state,
              modules, work, fetched, errors, kind, warnings, blocked, undoes
         FROM sync.run
        WHERE run.company = asked.company
          AND run.kind <> ALL (%(but)s::text[])
        ORDER BY run.started_at DESC, run.realm DESC, run.run_id DESC
        LIMIT %(limit)s) AS latest
 ORDER BY started_at DESC, realm DESC, run_id DESC
 LIMIT %(limit)s;

-- runs_before --
-- The same, older than a given run.
SELECT older.*
  FROM sync.run AS boundary
 CROSS JOIN unnest(%(companies)s::text[]) AS asked (company)
 CROSS JOIN LATERAL (
       SELECT realm, run_id, company, trigger, started_by, started_at, finished_at, state,
              modules, work, fetched, errors, kind, warnings, blocked, undoes
         FROM sync.run
        WHERE run.company = asked.company
          AND run.kind <> ALL (%(but)s::text[])
          AND run.started_at <= boundary.started_at
          AND (run.started_at, run.realm, run.run_id)
            < (boundary.started_at, boundary.realm, boundary.run_id)
        ORDER BY run.started_at DESC, run.realm DESC, run.run_id DESC
        LIMIT %(limit)s) AS older
 WHERE boundary.realm = %(realm)s
   AND boundary.run_id = %(run_id)s
 ORDER BY started_at DESC, realm DESC, run_id DESC
 LIMIT %(limit)s;

-- run --
SELECT realm, run_id, company, trigger, started_by, started_at, finished_at, state,
       modules, work, fetched, errors, kind, warnings, blocked, undoes
  FROM sync.run
 WHERE realm = %(realm)s
   AND run_id = %(run_id)s;

-- named --
SELECT realm, run_id, company, trigger, started_by, started_at, finished_at, state,
       modules, work, fetched, errors, kind, warnings, blocked, undoes
  FROM sync.run
 WHERE company = %(company)s
   AND run_id = %(run_id)s
 ORDER BY started_at DESC;

-- counts --
-- What the given runs did, module by module.
SELECT activity.realm, activity.run_id, module, mode, read, added, updated, unchanged, duplicate,
       not_added, excluded, deactivated, deleted, resolved, removed, kept
  FROM unnest(%(realms)s::text[], %(run_ids)s::text[]) AS asked (realm, run_id)
  JOIN sync.activity
    ON activity.realm = asked.realm
   AND activity.run_id = asked.run_id;

-- reasons --
-- Why records are not in the CRM, counted. The message of an exclusion is the mapping's own text; every
-- other message may hold customer data and stays in its row.
SELECT module, outcome, reason,
       CASE WHEN reason = 'excluded_by_mapping' THEN message END AS because,
       count(*) AS count
  FROM sync.outcome
 WHERE realm = %(realm)s
   AND run_id = %(run_id)s
   AND module = ANY (%(modules)s)
   AND outcome IN ('duplicate', 'not_added', 'excluded', 'kept')
 GROUP BY module, outcome, reason, because
 ORDER BY module, outcome DESC, count(*) DESC, reason, because;

-- rows --
-- The records of one run and module that ended in one way, a page at a time, with the name that
-- QuickBooks has for them now.
SELECT ended.*, coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name
  FROM (SELECT entity, id, outcome, reason, message, details, record_key, collides_with,
               before, after
          FROM sync.outcome
         WHERE realm = %(realm)s
           AND run_id = %(run_id)s
           AND module = %(module)s
           AND outcome = %(outcome)s
           AND (id, entity) > (%(after_id)s, %(after_entity)s)
         ORDER BY id, entity
         LIMIT %(limit)s) AS ended
  LEFT JOIN quickbooks.record
    ON record.realm = %(realm)s
   AND record.entity = ended.entity
   AND record.id = ended.id
 ORDER BY ended.id, ended.entity;
