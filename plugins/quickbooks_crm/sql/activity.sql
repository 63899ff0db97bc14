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
-- The newest runs of each company, of which the newest are kept: the time it takes grows with the companies asked for, not
-- with the runs there have been, unless few are as they are wanted. Older than a given run, if not from the beginning.
WITH boundary AS (
    SELECT started_at, realm, run_id
      FROM sync.run
     WHERE realm = %(realm)s
       AND run_id = %(run_id)s
       AND company = ANY (%(companies)s::text[])
     UNION ALL
    SELECT 'infinity', '', ''
     WHERE %(begin)s)
SELECT older.*
  FROM boundary
 CROSS JOIN unnest(%(companies)s::text[]) AS asked (company)
 CROSS JOIN LATERAL (
       SELECT realm, run_id, company, trigger, started_by, started_at, finished_at, state,
              modules, work, fetched, errors, kind, warnings, blocked, undoes, rehearses, would_undo,
              reasons AS tried_for, previewed, whole, emptied_at, purged_at
         FROM sync.run
        WHERE run.company = asked.company
          AND run.kind <> ALL (%(but)s::text[])
          AND %(kind)s IN ('', run.kind)
          AND %(state)s IN ('', run.state)
          AND (%(module)s = '' OR %(module)s = ANY (run.work) OR run.blocked ? %(module)s)
          AND (strpos(lower(concat_ws(', ', run.trigger, run.started_by)), lower(%(who)s)) > 0
               OR run.trigger = ANY (%(triggers)s::text[]))
          AND run.started_at <= boundary.started_at
          AND run.started_at >= coalesce(%(first_day)s::date::timestamp AT TIME ZONE 'UTC', '-infinity')
          AND run.started_at < coalesce((%(last_day)s::date + 1)::timestamp AT TIME ZONE 'UTC', 'infinity')
          AND (run.started_at, run.realm, run.run_id)
            < (boundary.started_at, boundary.realm, boundary.run_id)
        ORDER BY run.started_at DESC, run.realm DESC, run.run_id DESC
        LIMIT %(limit)s) AS older
 ORDER BY started_at DESC, realm DESC, run_id DESC
 LIMIT %(limit)s;

-- modules --
-- What the newest runs of each company were asked for.
SELECT DISTINCT module
  FROM unnest(%(companies)s::text[]) AS asked (company)
 CROSS JOIN LATERAL (
       SELECT modules
         FROM sync.run
        WHERE run.company = asked.company
        ORDER BY run.started_at DESC
        LIMIT %(newest)s) AS latest
 CROSS JOIN unnest(latest.modules) AS asked_for (module)
 ORDER BY module;

-- run --
SELECT realm, run_id, company, trigger, started_by, started_at, finished_at, state,
       modules, work, fetched, errors, kind, warnings, blocked, undoes, rehearses, would_undo, reasons AS tried_for,
       previewed, whole, emptied_at, purged_at
  FROM sync.run
 WHERE realm = %(realm)s
   AND run_id = %(run_id)s;

-- named --
SELECT realm, run_id, company, trigger, started_by, started_at, finished_at, state,
       modules, work, fetched, errors, kind, warnings, blocked, undoes, rehearses, would_undo, reasons AS tried_for,
       previewed, whole, emptied_at, purged_at
  FROM sync.run
 WHERE company = %(company)s
   AND run_id = %(run_id)s
 ORDER BY started_at DESC;

-- after_yes --
SELECT run_id
  FROM sync.run
 WHERE previewed = %(run_id)s
   AND realm = %(realm)s
 ORDER BY started_at DESC
 LIMIT 1;

-- counts --
-- What the given runs did, module by module.
SELECT activity.realm, activity.run_id, module, mode, read, added, updated, unchanged, duplicate,
       not_added, excluded, deactivated, deleted, resolved, removed, kept, reasons
  FROM unnest(%(realms)s::text[], %(run_ids)s::text[]) AS asked (realm, run_id)
  JOIN sync.activity
    ON activity.realm = asked.realm
   AND activity.run_id = asked.run_id;

-- reasons_of --
-- The reasons for which records of one run and module ended in one way, found by jumping from one to the next in the index.
WITH RECURSIVE found (reason) AS (
    (SELECT reason
       FROM sync.outcome
      WHERE run_id = %(run_id)s
        AND module = %(module)s
        AND outcome = %(outcome)s
        AND realm = %(realm)s
        AND reason IS NOT NULL
      ORDER BY reason
      LIMIT 1)
    UNION ALL
    SELECT (SELECT outcome.reason
              FROM sync.outcome
             WHERE run_id = %(run_id)s
               AND module = %(module)s
               AND outcome = %(outcome)s
               AND realm = %(realm)s
               AND outcome.reason > found.reason
             ORDER BY outcome.reason
             LIMIT 1)
      FROM found
     WHERE found.reason IS NOT NULL)
SELECT reason
  FROM found
 WHERE reason IS NOT NULL;

-- noted --
-- How many records that ended in a run in some of these ways have notes; no more are counted of each than there is time for.
SELECT asked.module, asked.outcome, found.count
  FROM unnest(%(modules)s::text[], %(outcomes)s::text[]) AS asked (module, outcome)
 CROSS JOIN LATERAL (
       SELECT count(*)
         FROM (SELECT
                 FROM sync.outcome
                WHERE run_id = %(run_id)s
                  AND module = asked.module
                  AND outcome = asked.outcome
                  AND realm = %(realm)s
                  AND details ? 'notes'
                ORDER BY id
                LIMIT %(limit)s) AS first) AS found
 WHERE found.count > 0;

-- rows --
-- The records of one run and module that ended in one way, a page at a time, with the name that
-- QuickBooks has for them now; which of them, the last blocks here say.
SELECT ended.*, coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name
  FROM (SELECT entity, id, outcome, reason, message, details, record_key, collides_with,
               before, after
          FROM sync.outcome
         WHERE {ended_so}
         ORDER BY id, entity
         LIMIT %(limit)s) AS ended
  LEFT JOIN quickbooks.record
    ON record.realm = %(realm)s
   AND record.entity = ended.entity
   AND record.id = ended.id
 ORDER BY ended.id, ended.entity;

-- rows_found --
-- Those of so many records that have a text in the name that QuickBooks has for them now.
SELECT outcome.entity, outcome.id, outcome.outcome, outcome.reason, message, details, record_key, collides_with,
       before, after, name
  FROM (SELECT ended.entity, ended.id,
               coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name
          FROM (SELECT entity, id
                  FROM sync.outcome
                 WHERE {ended_so}
                 ORDER BY id, entity
                 LIMIT %(window)s) AS ended
          LEFT JOIN quickbooks.record
            ON record.realm = %(realm)s
           AND record.entity = ended.entity
           AND record.id = ended.id) AS named
  JOIN sync.outcome AS outcome
    ON (outcome.realm, outcome.run_id, outcome.module, outcome.entity, outcome.id)
     = (%(realm)s, %(run_id)s, %(module)s, named.entity, named.id)
 WHERE strpos(lower(name), lower(%(text)s)) > 0
   AND named.id <> %(text)s
 ORDER BY named.id, named.entity
 LIMIT %(limit)s;

-- window_end --
-- The last of so many records, or nothing when they are fewer.
SELECT id, entity
  FROM sync.outcome
 WHERE {ended_so}
 ORDER BY id, entity
OFFSET %(window)s - 1
 LIMIT 1;

-- ended_so --
realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s AND outcome = %(outcome)s
AND (id, entity) > (%(after_id)s, %(after_entity)s)

-- of_reason --
reason = %(reason)s

-- of_id --
id = %(text)s

-- with_notes --
details ? 'notes'
