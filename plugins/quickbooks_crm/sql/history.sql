-- What happened to a record: what runs did to it, references of it that runs closed, and what people settled.

-- did --
-- How the QuickBooks records that it is, or was, ended in runs, newest first. That a record was as it was is no news, and
-- a preview did nothing.
SELECT run.run_id, run.started_at AS at, run.kind, run.trigger, run.started_by AS by_whom, run.purged_at IS NOT NULL AS gone,
       told.entity, told.id, told.outcome, told.reason, told.message, told.details, told.record_key, told.collides_with,
       told.before, told.after
  FROM unnest(%(entities)s::text[], %(ids)s::text[]) AS own (entity, id)
  JOIN sync.outcome AS told
    ON told.id = own.id AND told.entity = own.entity AND told.module = %(module)s AND told.realm = %(realm)s
  JOIN sync.run AS run ON (run.realm, run.run_id) = (told.realm, told.run_id)
 WHERE told.outcome <> 'unchanged' AND run.kind <> 'preview' AND run.started_at < %(before)s
   AND (told.record_key IS NULL OR told.record_key = %(key)s)
 ORDER BY run.started_at DESC
 LIMIT %(limit)s;

-- closed --
-- Its references that runs closed when the record that was missing had come, in runs that did not bring it up to date.
SELECT run.run_id, run.started_at AS at, run.kind, run.trigger, run.started_by AS by_whom,
       closed.entity, closed.id, closed.closed_by,
       jsonb_object_agg(closed.field, coalesce(closed.was, 'null')) AS before, jsonb_object_agg(closed.field, closed.target_key) AS after
  FROM unnest(%(entities)s::text[], %(ids)s::text[]) AS own (entity, id)
  JOIN sync.resolved_reference AS closed
    ON closed.id = own.id AND closed.entity = own.entity AND closed.module = %(module)s AND closed.realm = %(realm)s
  JOIN sync.run AS run ON (run.realm, run.run_id) = (closed.realm, closed.run_id)
 WHERE run.kind <> 'preview' AND run.started_at < %(before)s AND closed.record_key = %(key)s
   AND NOT EXISTS (SELECT FROM sync.outcome AS told
                    WHERE (told.realm, told.run_id, told.module, told.entity, told.id)
                        = (closed.realm, closed.run_id, closed.module, closed.entity, closed.id)
                      AND told.outcome IN ('added', 'updated', 'removed'))
 GROUP BY run.realm, run.run_id, closed.entity, closed.id, closed.closed_by
 ORDER BY run.started_at DESC
 LIMIT %(limit)s;

-- settled --
-- What people said of it.
SELECT kind, subject, by_whom, acted_at AS at, details FROM sync.act
 WHERE details ->> 'record_key' = %(key)s AND details ? 'record_key' AND company = %(company)s
   AND details ->> 'module' = %(module)s AND acted_at < %(before)s
 ORDER BY acted_at DESC
 LIMIT %(limit)s;

-- sources --
-- The QuickBooks records that it is, or that a person has parted from it.
SELECT entity, id FROM sync.link WHERE record_key = %(key)s AND module = %(module)s AND realm = %(realm)s
UNION
SELECT entity, id FROM sync.unlinked WHERE realm = %(realm)s AND module = %(module)s AND record_key = %(key)s;

-- forgotten --
-- The newest run before which nothing is known of how records ended, and the newest whose values are gone.
SELECT max(started_at) FILTER (WHERE emptied_at IS NOT NULL) AS outcomes, max(started_at) FILTER (WHERE purged_at IS NOT NULL) AS images
  FROM sync.run WHERE company = %(company)s AND realm = %(realm)s AND kind <> 'preview';
