-- told_before --
-- Whether this run has told something of the module's records before.
SELECT EXISTS (SELECT FROM sync.outcome WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s);

-- outcomes --
-- How every row ended.
INSERT INTO sync.outcome AS known (realm, run_id, module, entity, id, outcome, reason, message, details, flag,
                                   record_key, collides_with, before, after, left_alone)
SELECT %(realm)s, %(run_id)s, %(module)s, entity, id, outcome, reason, message, details, flag,
       CASE WHEN outcome IN ('added', 'updated', 'unchanged') THEN record_key END, collides_with,
       CASE WHEN outcome = 'updated' THEN before END,
       CASE WHEN outcome IN ('added', 'updated') THEN after END, {left_alone}
  FROM incoming {in_all};

-- in_all --
-- A run that Airflow repeats keeps one outcome a record: what the run did to it in all, also when the record has become
-- one that cannot come in. To look for it costs a fifth of what it costs to write one.
ON CONFLICT (realm, run_id, module, entity, id) DO UPDATE
   SET (outcome, before, flag) = ROW (
           CASE WHEN known.outcome = 'added' AND excluded.outcome IN ('updated', 'unchanged') THEN 'added'
                WHEN known.outcome = 'updated' AND excluded.outcome = 'unchanged' THEN 'updated'
                ELSE excluded.outcome END,
           CASE WHEN known.outcome IN ('added', 'updated') THEN known.before ELSE excluded.before END,
           coalesce(excluded.flag, known.flag)),
       (reason, message, details) = ROW (excluded.reason, excluded.message, excluded.details),
       (record_key, collides_with) = ROW (coalesce(excluded.record_key, known.record_key), excluded.collides_with),
       after = coalesce(excluded.after, known.after),
       left_alone = CASE WHEN excluded.outcome = 'added' OR known.left_alone IS NULL THEN excluded.left_alone
                         ELSE coalesce(excluded.left_alone, '{}') || known.left_alone END
 WHERE known.outcome NOT IN ('added', 'updated') OR excluded.outcome NOT IN ('duplicate', 'not_added', 'excluded')

-- held_back_since --
-- How many records of this load are held back that the run had brought in before.
SELECT count(*)
  FROM incoming AS i
 CROSS JOIN LATERAL (
       SELECT FROM sync.outcome
        WHERE (realm, run_id, module, entity, id) = (%(realm)s, %(run_id)s, %(module)s, i.entity, i.id)
          AND outcome IN ('added', 'updated') LIMIT 1) AS told
 WHERE i.outcome IN ('duplicate', 'not_added', 'excluded');

-- previous --
-- How far this run has brought the module before, if it has; parts of its records do not count.
SELECT generation FROM sync.module_position WHERE realm = %(realm)s AND module = %(module)s AND run_id = %(run_id)s;

-- unaccounted --
-- Rows that ended nowhere; there must be none.
SELECT count(*) FROM incoming WHERE outcome IS NULL;

-- activity --
-- The outcomes of the run and module, counted from where they are stored.
INSERT INTO sync.activity (realm, run_id, module, mapping_hash, mode, from_generation, to_generation,
                           read, added, updated, unchanged, duplicate, not_added, excluded,
                           deactivated, deleted, resolved)
SELECT %(realm)s, %(run_id)s, %(module)s, %(hash)s, %(mode)s, %(position)s, %(generation)s,
       count(*),
       count(*) FILTER (WHERE outcome = 'added'),
       count(*) FILTER (WHERE outcome = 'updated'),
       count(*) FILTER (WHERE outcome = 'unchanged'),
       count(*) FILTER (WHERE outcome = 'duplicate'),
       count(*) FILTER (WHERE outcome = 'not_added'),
       count(*) FILTER (WHERE outcome = 'excluded'),
       count(*) FILTER (WHERE outcome = 'updated' AND flag IN ('deactivated', 'merged')),
       count(*) FILTER (WHERE outcome = 'updated' AND flag = 'deleted'),
       (SELECT count(*) FROM sync.resolved_reference
         WHERE realm = %(realm)s AND run_id = %(run_id)s AND closed_by = %(module)s)
  FROM sync.outcome
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s
ON CONFLICT (realm, run_id, module) DO UPDATE
   SET (to_generation, read, added, updated, unchanged, duplicate, not_added, excluded, deactivated, deleted, resolved, loaded_at)
     = ROW (excluded.to_generation, excluded.read, excluded.added, excluded.updated, excluded.unchanged,
            excluded.duplicate, excluded.not_added, excluded.excluded, excluded.deactivated, excluded.deleted,
            excluded.resolved, now());

-- reasons --
-- For which reasons records are not in the CRM, or were kept by an undo, counted from where they are stored. The message of an
-- exclusion is the mapping's own text; every other message may hold customer data and stays in its row.
UPDATE sync.activity
   SET reasons = coalesce((
       SELECT jsonb_agg(to_jsonb(counted) ORDER BY outcome DESC, count DESC, reason, because)
         FROM (SELECT outcome, reason, CASE reason WHEN 'excluded_by_mapping' THEN message END AS because, count(*) AS count
                 FROM sync.outcome
                WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s
                  AND outcome IN ('duplicate', 'not_added', 'excluded', 'kept') AND reason IS NOT NULL
                GROUP BY outcome, reason, because) AS counted), '[]')
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s;

-- counts --
SELECT read, added, updated, unchanged, duplicate, not_added, excluded, deactivated, deleted, resolved
  FROM sync.activity WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s;
