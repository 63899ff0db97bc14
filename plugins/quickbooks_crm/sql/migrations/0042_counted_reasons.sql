-- Why records are not in the CRM, counted once and for good: the page of a run with a hundred thousand of them would count
-- for most of a second each time, and could not once their outcomes are forgotten.

ALTER TABLE sync.activity ADD COLUMN reasons jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(reasons) = 'array');
COMMENT ON COLUMN sync.activity.reasons IS 'Of the records that are not in the CRM, or were kept by an undo: how many for which reason.';

UPDATE sync.activity AS told
   SET reasons = counted.reasons
  FROM (SELECT realm, run_id, module, jsonb_agg(to_jsonb(each) - '{realm,run_id,module}'::text[] ORDER BY outcome DESC, count DESC, reason, because) AS reasons
          FROM (SELECT realm, run_id, module, outcome, reason, CASE reason WHEN 'excluded_by_mapping' THEN message END AS because, count(*) AS count
                  FROM sync.outcome
                 WHERE outcome IN ('duplicate', 'not_added', 'excluded', 'kept') AND reason IS NOT NULL
                 GROUP BY realm, run_id, module, outcome, reason, because) AS each
         GROUP BY realm, run_id, module) AS counted
 WHERE (counted.realm, counted.run_id, counted.module) = (told.realm, told.run_id, told.module);
