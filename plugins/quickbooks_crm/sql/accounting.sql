-- Does a load add up? Counted anew, at its end, from what is stored.

-- differences --
-- What was to be and what is, where they differ. Records of the CRM that were there before are the linked ones and
-- those that were found; each that was added makes one more. One that is held back may have been linked meanwhile, to what a
-- person gave its id, since another refers to it or it is left alone. What this run has said is read once, whole: a full join is
-- never done row by row, whatever is believed of how many there are.
WITH batch AS (
    SELECT i.n, i.outcome, i.linked, i.record_key, told.id AS told,
           CASE WHEN EXISTS (SELECT FROM sync.held WHERE realm = %(realm)s AND module = %(module)s)
                THEN (SELECT held.outcome FROM sync.held
                       WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) END AS held,
           live.record_key AS live
      FROM incoming AS i
      FULL JOIN (SELECT entity, id FROM sync.outcome
                  WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s) AS told
        ON (told.entity, told.id) = (i.entity, i.id)
      LEFT JOIN LATERAL (
           SELECT link.record_key
             FROM (SELECT record_key FROM sync.link
                    WHERE (realm, entity, id, module) = (%(realm)s, i.entity, i.id, %(module)s) LIMIT 1) AS link
             JOIN {table} AS current ON current.{key} = link.record_key::{key_type} LIMIT 1) AS live ON true
    OFFSET 0
), counted AS (
    SELECT count(n) AS read,
           count(told) AS outcomes,
           count(told) FILTER (WHERE n IS NOT NULL) AS told,
           count(*) FILTER (WHERE linked) AS live_before,
           count(*) FILTER (WHERE NOT linked AND outcome IN ('added', 'updated', 'unchanged')) AS new,
           count(live) FILTER (WHERE linked OR outcome IN ('added', 'updated', 'unchanged')) AS live_after,
           count(*) FILTER (WHERE outcome IN ('added', 'updated', 'unchanged')) AS in_crm,
           count(*) FILTER (WHERE outcome IN ('added', 'updated', 'unchanged') AND live = record_key) AS found_in_crm,
           count(DISTINCT record_key COLLATE "C") FILTER (WHERE outcome = 'added') AS keys_added,
           count(*) FILTER (WHERE outcome = 'added') AS added,
           count(*) FILTER (WHERE outcome IN ('duplicate', 'not_added', 'excluded')) AS held_back,
           count(*) FILTER (WHERE held = outcome) AS held,
           count(held) AS held_at_all
      FROM batch
)
SELECT what, wanted, found
  FROM counted,
       (SELECT read AS all_read, added + updated + unchanged + duplicate + not_added + excluded AS all_ended,
               duplicate + not_added + excluded AS all_held_back,
               (SELECT coalesce(sum((each ->> 'count')::bigint), 0) FROM jsonb_array_elements(reasons) AS each) AS all_reasons
          FROM sync.activity WHERE (realm, run_id, module) = (%(realm)s, %(run_id)s, %(module)s)) AS activity,
       LATERAL (VALUES ('records with an outcome', read, told),
                       ('records counted in the activity', outcomes, all_read),
                       ('outcomes counted in the activity', outcomes, all_ended),
                       ('reasons counted in the activity', all_held_back, all_reasons),
                       ('records in the CRM and linked', live_before + new, live_after),
                       ('records of this load in the CRM', in_crm, found_in_crm),
                       ('records added, each once', added, keys_added),
                       ('records held back', held_back, held),
                       ('records held back and no others', held_back, held_at_all)) AS told (what, wanted, found)
 WHERE wanted <> found;
