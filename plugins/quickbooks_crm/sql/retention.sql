-- old_runs --
-- Runs that ended so long ago that something of them is to go, oldest first. {done} is when that was done before.
SELECT run_id FROM sync.run
 WHERE realm = %(realm)s AND {done} IS NULL AND state <> 'running'
   AND coalesce(finished_at, started_at) < now() - make_interval(days => %(days)s)
 ORDER BY started_at;

-- mark --
UPDATE sync.run SET {done} = now() WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- undoable_no_more --
-- Of a run of which something goes that an undo needs: else one that comes in between would see half of it. It waits for one that
-- is at work.
UPDATE sync.activity SET undoable = false WHERE realm = %(realm)s AND run_id = %(run_id)s AND undoable;

-- look --
-- Of rows of which it knows nothing Postgres expects next to none, and would go through each part of them for every one.
ANALYZE sync.outcome (realm, run_id, module, entity, id);

-- part --
-- Some outcomes of a run, in their order, so that nobody waits for a large one; how many were done, and the last of them.
WITH part AS MATERIALIZED (
    SELECT module, entity, id FROM sync.outcome
     WHERE realm = %(realm)s AND run_id = %(run_id)s AND (module, entity, id) > (%(module)s, %(entity)s, %(id)s)
     ORDER BY module, entity, id LIMIT %(batch)s
), done AS ({done} RETURNING 1)
SELECT (SELECT count(*) FROM done), module, entity, id
  FROM part ORDER BY module DESC, entity DESC, id DESC LIMIT 1;

-- outcomes --
DELETE FROM sync.outcome AS own USING part
 WHERE own.realm = %(realm)s AND own.run_id = %(run_id)s
   AND (own.module, own.entity, own.id) = (part.module, part.entity, part.id)

-- unchanged --
DELETE FROM sync.outcome AS own USING part
 WHERE own.realm = %(realm)s AND own.run_id = %(run_id)s AND own.outcome = 'unchanged'
   AND (own.module, own.entity, own.id) = (part.module, part.entity, part.id) AND NOT {needed}

-- needed --
-- An undo has to know that a record which the run has linked was a row of it. What an undo itself leaves unchanged are such records.
(EXISTS (SELECT FROM sync.link
          WHERE (link.realm, link.entity, link.id, link.module, link.linked_in)
              = (own.realm, own.entity, own.id, own.module, own.run_id))
 OR EXISTS (SELECT FROM sync.run WHERE (run.realm, run.run_id) = (own.realm, own.run_id) AND undoes IS NOT NULL))

-- images --
UPDATE sync.outcome AS own
   SET before = NULL, after = CASE WHEN own.after IS NOT NULL THEN '{{}}'::jsonb END, left_alone = NULL
  FROM part
 WHERE own.realm = %(realm)s AND own.run_id = %(run_id)s AND (own.before IS NOT NULL OR own.after <> '{{}}')
   AND (own.module, own.entity, own.id) = (part.module, part.entity, part.id)

-- count_outcomes --
SELECT count(*) FROM sync.outcome WHERE realm = %(realm)s AND run_id = ANY (%(run_ids)s);

-- count_unchanged --
SELECT count(*) FROM sync.outcome AS own
 WHERE realm = %(realm)s AND run_id = ANY (%(run_ids)s) AND outcome = 'unchanged' AND NOT {needed};

-- count_images --
SELECT count(*) FROM sync.outcome
 WHERE realm = %(realm)s AND run_id = ANY (%(run_ids)s) AND (before IS NOT NULL OR after <> '{{}}');

-- references --
DELETE FROM sync.resolved_reference
 WHERE ctid = ANY (ARRAY (
       SELECT ctid FROM sync.resolved_reference WHERE realm = %(realm)s AND run_id = %(run_id)s LIMIT %(batch)s));

-- drift --
DELETE FROM sync.drift
 WHERE ctid = ANY (ARRAY (SELECT ctid FROM sync.drift WHERE realm = %(realm)s AND run_id = %(run_id)s LIMIT %(batch)s));

-- former --
DELETE FROM sync.former
 WHERE ctid = ANY (ARRAY (SELECT ctid FROM sync.former WHERE realm = %(realm)s AND run_id = %(run_id)s LIMIT %(batch)s));

-- added_keywords --
DELETE FROM sync.added_keyword
 WHERE ctid = ANY (ARRAY (
       SELECT ctid FROM sync.added_keyword WHERE realm = %(realm)s AND run_id = %(run_id)s LIMIT %(batch)s));

-- conflicts --
-- Those that nobody has decided count as decided for the CRM: its value stays, and only what QuickBooks says later is a
-- conflict again.
WITH old AS (
    DELETE FROM sync.conflict
     WHERE realm = %(realm)s AND since < now() - make_interval(days => %(days)s)
    RETURNING module, entity, id, field, quickbooks
), decided AS (
    UPDATE sync.link
       SET written = link.written || own.fields,
           agreed = ARRAY (SELECT unnest(link.agreed) UNION SELECT jsonb_object_keys(own.fields)),
           said = nullif(link.said - ARRAY (SELECT jsonb_object_keys(own.fields)), '{}')
      FROM (SELECT module, entity, id, jsonb_object_agg(field, quickbooks) AS fields
              FROM old GROUP BY module, entity, id) AS own
     WHERE (link.realm, link.entity, link.id, link.module) = (%(realm)s, own.entity, own.id, own.module)
)
SELECT FROM old;

-- count_conflicts --
SELECT count(*) FROM sync.conflict WHERE realm = %(realm)s AND since < now() - make_interval(days => %(days)s);

-- calls --
DELETE FROM sync.call
 WHERE realm = %(realm)s AND month < date_trunc('month', now() AT TIME ZONE 'UTC' - make_interval(days => %(days)s))::date;

-- count_calls --
SELECT count(*) FROM sync.call
 WHERE realm = %(realm)s AND month < date_trunc('month', now() AT TIME ZONE 'UTC' - make_interval(days => %(days)s))::date;

-- generations --
-- Those under which no record stands any more, or never did; the newest one stays.
DELETE FROM sync.generation AS old
 WHERE old.realm = %(realm)s AND old.started_at < now() - make_interval(days => %(days)s)
   AND NOT EXISTS (SELECT FROM quickbooks.record WHERE record.generation = old.generation)
   AND old.generation < (SELECT max(generation) FROM sync.generation WHERE realm = %(realm)s AND sealed_at IS NOT NULL);

-- count_generations --
SELECT count(*) FROM sync.generation AS old
 WHERE old.realm = %(realm)s AND old.started_at < now() - make_interval(days => %(days)s)
   AND NOT EXISTS (SELECT FROM quickbooks.record WHERE record.generation = old.generation)
   AND old.generation < (SELECT max(generation) FROM sync.generation WHERE realm = %(realm)s AND sealed_at IS NOT NULL);
