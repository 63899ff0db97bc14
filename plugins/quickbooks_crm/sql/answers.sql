-- What people have answered to previews, and the runs that follow a Yes.

-- write_down --
-- The first answer stays.
UPDATE sync.run SET answer = %(said)s, answered_by = %(by)s, answered_at = clock_timestamp()
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND company = %(company)s AND kind = 'preview' AND answer IS NULL;

-- answered --
-- A preview of a company with its answer. Whoever looks keeps it from others who would follow it.
SELECT coalesce(rehearses, 'sync') AS shows, state, answer AS said, answered_by AS by, answered_at AS at,
       finished_at < clock_timestamp() - %(good_for)s::interval AS old
  FROM sync.run
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND company = %(company)s AND kind = 'preview'
   FOR NO KEY UPDATE;

-- followed_by --
-- The run that has done what a preview showed, or is at it; one that failed before it had loaded anything has not.
SELECT run_id
  FROM sync.run AS run
 WHERE previewed = %(previewed)s AND realm = %(realm)s AND run_id <> %(run_id)s
   AND (state <> 'failed'
        OR EXISTS (SELECT FROM sync.activity AS activity
                    WHERE (activity.realm, activity.run_id) = (run.realm, run.run_id)))
 ORDER BY started_at
 LIMIT 1;

-- follow --
UPDATE sync.run SET previewed = %(previewed)s WHERE realm = %(realm)s AND run_id = %(run_id)s;
