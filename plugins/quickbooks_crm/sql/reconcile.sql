-- Comparing QuickBooks with the mirror, and the mirror with the CRM.

-- position --
SELECT changed_since, now() - changed_since FROM sync.entity_position WHERE realm = %(realm)s AND entity = %(entity)s;

-- unread --
-- How long ago every record was read last: by a sync that read everything, or to be compared.
SELECT now() - greatest(full_read_at,
                        (SELECT max(until) FROM sync.compared
                          WHERE realm = %(realm)s AND side = 'quickbooks' AND subject = %(entity)s AND method = 'records'))
  FROM sync.entity_position WHERE realm = %(realm)s AND entity = %(entity)s;

-- forget --
-- What an earlier try found; what it repaired stays told.
DELETE FROM sync.drift
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'quickbooks' AND subject = %(entity)s AND NOT repaired;

-- forget_totals --
DELETE FROM sync.control_total
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'quickbooks' AND subject = %(entity)s;

-- live --
SELECT count(*) FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted;

-- live_ids --
SELECT id FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted;

-- has_undated --
SELECT EXISTS (SELECT FROM quickbooks.record
                WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted AND updated_at IS NULL);

-- mirrored --
SELECT count(*) FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted
   AND updated_at >= %(since)s AND updated_at < %(before)s;

-- recent --
SELECT count(*) FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted AND updated_at >= %(until)s;

-- meanwhile --
-- Records that QuickBooks changed after the comparison's end, of which the mirror does not know it.
SELECT count(*)
  FROM page AS sent
  LEFT JOIN quickbooks.record AS known
    ON known.realm = %(realm)s AND known.entity = %(entity)s AND known.id = sent.id AND NOT known.deleted
 WHERE sent.updated_at >= %(until)s AND (known.updated_at >= %(until)s) IS NOT TRUE;

-- sums_meanwhile --
-- Their amounts, as QuickBooks has them.
SELECT field, coalesce(sent.payload #>> '{CurrencyRef,value}', ''), coalesce(sum(sync.amount(sent.payload ->> field)), 0)
  FROM page AS sent
  LEFT JOIN quickbooks.record AS known
    ON known.realm = %(realm)s AND known.entity = %(entity)s AND known.id = sent.id AND NOT known.deleted
 CROSS JOIN unnest(%(amounts)s::text[]) AS field
 WHERE sent.updated_at >= %(until)s AND (known.updated_at >= %(until)s) IS NOT TRUE AND sent.payload ? field
 GROUP BY 1, 2;

-- sums_of_recent --
SELECT field, coalesce(payload #>> '{CurrencyRef,value}', ''), coalesce(sum(sync.amount(payload ->> field)), 0)
  FROM quickbooks.record
 CROSS JOIN unnest(%(amounts)s::text[]) AS field
 WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted AND updated_at >= %(until)s AND payload ? field
 GROUP BY 1, 2;

-- middle --
-- The time that halves the records of a period; where half of them have the earliest one, the next. No row when all do.
WITH inside AS (
    SELECT updated_at FROM quickbooks.record
     WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted
       AND updated_at >= %(since)s AND updated_at < %(before)s
), summed AS MATERIALIZED (
    SELECT min(updated_at) AS first, percentile_disc(0.5) WITHIN GROUP (ORDER BY updated_at) AS half FROM inside
)
SELECT min(updated_at) FROM inside, summed
 WHERE updated_at > first AND updated_at >= half
HAVING min(updated_at) IS NOT NULL;

-- unsent --
SELECT id FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted
   AND updated_at >= %(since)s AND updated_at < %(before)s
   AND id <> ALL (%(sent)s);

-- sums --
-- The amounts of both sides, of records that have not changed in QuickBooks since the comparison's end.
SELECT field, coalesce(sent.payload #>> '{CurrencyRef,value}', known.payload #>> '{CurrencyRef,value}', '') AS currency,
       coalesce(sum(sync.amount(sent.payload ->> field)), 0),
       coalesce(sum(sync.amount(known.payload ->> field)), 0)
  FROM page AS sent
  LEFT JOIN quickbooks.record AS known
    ON known.realm = %(realm)s AND known.entity = %(entity)s AND known.id = sent.id AND NOT known.deleted
 CROSS JOIN unnest(%(amounts)s::text[]) AS field
 WHERE coalesce(sent.updated_at < %(until)s, true)
   AND (sent.payload ? field OR known.payload ? field)
 GROUP BY field, currency;

-- sums_of_gone --
SELECT field, coalesce(payload #>> '{CurrencyRef,value}', '') AS currency,
       coalesce(sum(sync.amount(payload ->> field)), 0)
  FROM quickbooks.record
 CROSS JOIN unnest(%(amounts)s::text[]) AS field
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = ANY (%(ids)s) AND payload ? field
 GROUP BY field, currency;

-- in_part --
-- Of a record that comes only in part (sparse), the rest is what the mirror has.
UPDATE page AS sent
   SET payload = known.payload || sent.payload
  FROM quickbooks.record AS known
 WHERE sent.payload -> 'sparse' = 'true'
   AND known.realm = %(realm)s AND known.entity = %(entity)s AND known.id = sent.id AND NOT known.deleted;

-- differing --
-- Records of QuickBooks that the mirror has not, or not so; of a content that differs, the names of the fields. Such a content
-- is repaired unasked: QuickBooks has changed it without saying so, as a balance that it computes, and no sync will learn of it.
INSERT INTO sync.drift AS told (realm, run_id, side, subject, entity, id, kind, details, repaired)
SELECT %(realm)s, %(run_id)s, 'quickbooks', %(entity)s, %(entity)s, sent.id, kind,
       CASE WHEN known.id IS NULL THEN '{}'
            WHEN older_or_newer
            THEN jsonb_build_object('quickbooks', sent.sync_token, 'mirror', known.sync_token)
            ELSE jsonb_build_object('fields', (
                 SELECT jsonb_agg(coalesce(theirs.key, ours.key) ORDER BY coalesce(theirs.key, ours.key))
                   FROM jsonb_each(sent.payload) AS theirs
                   FULL JOIN jsonb_each(known.payload) AS ours ON ours.key = theirs.key
                  WHERE theirs.value IS DISTINCT FROM ours.value)) END,
       %(repaired)s OR kind = 'other_content'
  FROM page AS sent
  LEFT JOIN quickbooks.record AS known
    ON known.realm = %(realm)s AND known.entity = %(entity)s AND known.id = sent.id AND NOT known.deleted
 CROSS JOIN LATERAL (
       SELECT sent.sync_token <> known.sync_token
              OR coalesce(sent.updated_at <> known.updated_at, false) AS older_or_newer) AS version
 CROSS JOIN LATERAL (
       SELECT CASE WHEN known.id IS NULL THEN 'not_in_mirror'
                   WHEN older_or_newer THEN 'other_version'
                   ELSE 'other_content' END AS kind) AS judged
 WHERE coalesce(sent.updated_at < %(until)s, true)
   AND (known.id IS NULL OR older_or_newer OR sent.payload IS DISTINCT FROM known.payload)
ON CONFLICT (realm, run_id, side, subject, entity, id) DO UPDATE
   SET kind = excluded.kind, details = excluded.details, repaired = excluded.repaired;

-- set_right --
-- What QuickBooks has is what the mirror is to have, also where that is an older version.
INSERT INTO quickbooks.record AS known (realm, entity, id, sync_token, updated_at, deleted, generation, digest, payload)
SELECT %(realm)s, %(entity)s, sent.id, sent.sync_token, sent.updated_at, false, %(generation)s, sent.digest, sent.payload
  FROM page AS sent
  JOIN sync.drift AS told
    ON told.realm = %(realm)s AND told.run_id = %(run_id)s AND told.side = 'quickbooks'
   AND told.subject = %(entity)s AND told.entity = %(entity)s AND told.id = sent.id AND told.repaired
ON CONFLICT (realm, entity, id) DO UPDATE
   SET sync_token = excluded.sync_token, updated_at = excluded.updated_at, deleted = false,
       generation = excluded.generation, digest = excluded.digest, payload = excluded.payload;

-- delete --
UPDATE quickbooks.record
   SET deleted = true, generation = %(generation)s
 WHERE realm = %(realm)s AND entity = %(entity)s AND id = ANY (%(ids)s) AND NOT deleted;

-- gone --
INSERT INTO sync.drift AS told (realm, run_id, side, subject, entity, id, kind, repaired)
SELECT %(realm)s, %(run_id)s, 'quickbooks', %(entity)s, %(entity)s, id, 'not_in_quickbooks', %(repaired)s
  FROM unnest(%(ids)s::text[]) AS id
ON CONFLICT (realm, run_id, side, subject, entity, id) DO UPDATE
   SET kind = excluded.kind, details = excluded.details, repaired = excluded.repaired;

-- compared --
-- Here both sides are counted wholly; waiting is how many of them changed too recently to be compared.
INSERT INTO sync.compared AS told (realm, run_id, side, subject, method, source, target, waiting, until)
VALUES (%(realm)s, %(run_id)s, 'quickbooks', %(entity)s, %(method)s, %(source)s, %(target)s, %(waiting)s, %(until)s)
ON CONFLICT (realm, run_id, side, subject) DO UPDATE
   SET method = excluded.method, source = excluded.source, target = excluded.target, waiting = excluded.waiting,
       until = excluded.until;

-- control_total --
INSERT INTO sync.control_total AS told (realm, run_id, side, subject, field, currency, source, waiting, target)
VALUES (%(realm)s, %(run_id)s, 'quickbooks', %(entity)s, %(field)s, %(currency)s, %(source)s, %(waiting)s, %(target)s)
ON CONFLICT (realm, run_id, side, subject, field, currency) DO UPDATE
   SET source = excluded.source, waiting = excluded.waiting, target = excluded.target;

-- forget_module --
DELETE FROM sync.drift
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'crm' AND subject = %(module)s AND NOT repaired;

-- forget_module_totals --
DELETE FROM sync.control_total
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'crm' AND subject = %(module)s;

-- statistics --
-- Postgres may know nothing yet of what a load has just written. It would expect next to nothing there, and look all of it
-- through for each record of QuickBooks. It looks each time, since one company may be new among many, and takes a moment only.
ANALYZE sync.link, sync.held;

-- records_and_crm --
-- Every record of the module's entities beside what became of it, and the CRM record itself. What is newer than the
-- module's position waits for the next sync.
CREATE TEMP VIEW beside AS
SELECT record.entity, record.id, record.deleted, record.payload,
       record.generation > {position} AS waiting,
       sync.state_in_quickbooks(record.deleted, record.payload) AS state,
       link.record_key, link.written, link.state AS known_state,
       held.outcome AS held, held.collides_with,
       current.{key} IS NOT NULL AS in_crm,
       CASE WHEN current.{key} IS NOT NULL THEN to_jsonb(current.*) END AS image,
       {line_image} AS line_image
  FROM quickbooks.record AS record
  LEFT JOIN sync.link AS link
    ON link.realm = {realm} AND link.entity = record.entity AND link.id = record.id AND link.module = {module}
  LEFT JOIN sync.held AS held
    ON held.realm = {realm} AND held.entity = record.entity AND held.id = record.id AND held.module = {module}
  LEFT JOIN {table} AS current ON current.{key} = link.record_key::{key_type}
 WHERE record.realm = {realm} AND record.entity = ANY ({entities});

-- line_image --
(SELECT jsonb_build_object('@lines', coalesce(jsonb_agg(to_jsonb(line.*) - {unmapped}::text[]
                                                        ORDER BY line.{position}, line.{line_key}), '[]'))
   FROM {lines} AS line WHERE line.{parent} = current.{key})

-- no_lines --
'{}'::jsonb

-- beside_no_more --
DROP VIEW beside;

-- accounted --
-- Where the live records are. One that is in the CRM though it could not be brought up to date, or was undone, is there:
-- behind what QuickBooks has.
INSERT INTO sync.compared AS told (realm, run_id, side, subject, method, source, target, held, waiting, behind)
SELECT %(realm)s, %(run_id)s, 'crm', %(module)s, 'records',
       count(*),
       count(*) FILTER (WHERE NOT waiting AND in_crm),
       count(*) FILTER (WHERE NOT waiting AND held IS NOT NULL AND NOT in_crm),
       count(*) FILTER (WHERE waiting),
       count(*) FILTER (WHERE NOT waiting AND held IS NOT NULL AND in_crm)
  FROM beside
 WHERE NOT deleted
ON CONFLICT (realm, run_id, side, subject) DO UPDATE
   SET source = excluded.source, target = excluded.target, held = excluded.held, waiting = excluded.waiting,
       behind = excluded.behind;

-- strayed --
-- Records whose CRM side is not what the last load left. A value that a person gave where QuickBooks has none is theirs.
-- What QuickBooks has deleted may be deleted from the CRM, too: no load would bring it back.
-- What follows from a difference between QuickBooks and the mirror is not told twice.
INSERT INTO sync.drift AS told (realm, run_id, side, subject, entity, id, kind, details)
SELECT %(realm)s, %(run_id)s, 'crm', %(module)s, beside.entity, beside.id, kind,
       CASE WHEN kind = 'changed_in_crm' THEN jsonb_build_object('fields', changed) ELSE '{{}}' END
  FROM beside
 CROSS JOIN LATERAL (SELECT image || line_image AS whole OFFSET 0) AS crm
 CROSS JOIN LATERAL (
       SELECT jsonb_agg(kept.key ORDER BY kept.key) AS changed
         FROM jsonb_each(CASE WHEN %(merges)s AND whole || written <> whole THEN written ELSE '{{}}' END) AS kept
        WHERE kept.key = ANY (%(columns)s::text[])
          AND whole -> kept.key IS DISTINCT FROM kept.value
          AND (kept.value <> 'null' OR kept.key = ANY (%(always_clear)s::text[]))) AS since
 CROSS JOIN LATERAL (
       SELECT CASE
              WHEN record_key IS NULL AND held IS NULL THEN 'nowhere'
              WHEN record_key IS NOT NULL AND NOT in_crm AND NOT deleted THEN 'crm_record_gone'
              WHEN record_key IS NULL AND held = 'duplicate' AND collides_with IS NOT NULL
                   AND NOT EXISTS (SELECT FROM {table} AS original WHERE original.{key} = collides_with::{key_type})
              THEN 'original_gone'
              WHEN held IS NULL AND replace(known_state, 'merged', 'inactive') <> state THEN 'other_state'
              WHEN changed IS NOT NULL THEN 'changed_in_crm' END AS kind) AS judged
 WHERE NOT waiting AND kind IS NOT NULL
   AND (kind <> 'other_state'
        OR NOT EXISTS (SELECT FROM sync.drift AS known
                        WHERE known.realm = %(realm)s AND known.run_id = %(run_id)s AND known.side = 'quickbooks'
                          AND (known.entity, known.id) = (beside.entity, beside.id)))
 UNION ALL
SELECT %(realm)s, %(run_id)s, 'crm', %(module)s, link.entity, link.id, 'mirror_record_gone', '{{}}'
  FROM sync.link AS link
 WHERE link.realm = %(realm)s AND link.module = %(module)s AND link.entity = ANY (%(entities)s)
   AND link.source_hash <> ''
   AND NOT EXISTS (SELECT FROM quickbooks.record AS record
                    WHERE (record.realm, record.entity, record.id) = (link.realm, link.entity, link.id))
   AND NOT EXISTS (SELECT FROM sync.drift AS known
                    WHERE known.realm = %(realm)s AND known.run_id = %(run_id)s AND known.side = 'quickbooks'
                      AND (known.entity, known.id) = (link.entity, link.id))
ON CONFLICT (realm, run_id, side, subject, entity, id) DO UPDATE
   SET kind = excluded.kind, details = excluded.details, repaired = false;

-- control_totals --
-- The sum of a column on both sides, by currency. What QuickBooks leaves blank counts on neither. Nothing is rounded: what has
-- more places than the column takes is held back, and explains the difference as it is. What a person has put under another
-- currency counts there. Each record is read once (OFFSET 0), though it stands on two sides: to unpack it is what takes time.
INSERT INTO sync.control_total (realm, run_id, side, subject, field, currency, source, held, held_records, waiting,
                                waiting_records, target)
SELECT %(realm)s, %(run_id)s, 'crm', %(module)s, %(field)s, side.currency,
       coalesce(sum(side.amount), 0),
       coalesce(sum(side.amount) FILTER (WHERE NOT waiting AND held IS NOT NULL), 0),
       count(side.amount) FILTER (WHERE NOT waiting AND held IS NOT NULL),
       coalesce(sum(side.amount) FILTER (WHERE waiting), 0),
       count(side.amount) FILTER (WHERE waiting),
       coalesce(sum(side.kept) FILTER (WHERE NOT waiting AND held IS NULL), 0)
  FROM (SELECT waiting, held, coalesce(payload #>> '{{CurrencyRef,value}}', '') AS currency, {amount} AS amount,
               (image ->> %(field)s){through}::numeric AS kept,
               CASE WHEN in_crm AND NOT waiting AND held IS NULL AND written ->> %(currency)s <> coalesce(image ->> %(currency)s, '')
                    THEN coalesce(image ->> %(currency)s, '') END AS given
          FROM beside WHERE NOT deleted OFFSET 0) AS side_by_side
 CROSS JOIN LATERAL (VALUES (side_by_side.currency, side_by_side.amount, NULL),
                            (coalesce(given, side_by_side.currency), NULL, side_by_side.kept)) AS side (currency, amount, kept)
 WHERE side_by_side.amount IS NOT NULL
 GROUP BY side.currency;

-- money --
::money

-- amount --
sync.amount({value})

-- one_amount --
coalesce({amounts})

-- negated --
-coalesce({amounts})

-- by_entity --
CASE entity {cases} ELSE {amount} END

-- of_entity --
WHEN {entity} THEN {amount}

-- strayed_records --
(SELECT DISTINCT entity, id FROM sync.drift
  WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'crm' AND NOT repaired)

-- load_again --
-- Give the next sync the records whose CRM side is wrong, as if they had changed; one that is nowhere any more was deleted.
WITH strayed AS (
    SELECT DISTINCT entity, id FROM sync.drift
     WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'crm' AND NOT repaired
), known AS (
    UPDATE quickbooks.record AS record
       SET generation = %(generation)s
      FROM strayed
     WHERE record.realm = %(realm)s AND (record.entity, record.id) = (strayed.entity, strayed.id)
 RETURNING record.entity, record.id
), buried AS (
    INSERT INTO quickbooks.record (realm, entity, id, sync_token, deleted, generation, payload)
    SELECT %(realm)s, entity, id, 0, true, %(generation)s, jsonb_build_object('Id', id)
      FROM strayed
     WHERE (entity, id) NOT IN (SELECT entity, id FROM known)
)
UPDATE sync.drift SET repaired = true
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'crm' AND NOT repaired;

-- new_generation --
INSERT INTO sync.generation (realm, run_id) VALUES (%(realm)s, %(run_id)s) RETURNING generation;

-- nothing_to_load --
-- What extract found to load is left to the next sync, so that this run is not unfinished without it.
UPDATE sync.run SET work = '{}' WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- not_in_step --
UPDATE sync.run SET state = 'failed' WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- forget_all --
-- A run that is started again compares everything again.
DELETE FROM sync.compared WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- done --
-- The entities that an earlier try of the run has compared.
SELECT subject FROM sync.compared WHERE realm = %(realm)s AND run_id = %(run_id)s AND side = 'quickbooks';

-- read_compared --
SELECT side, subject, method, source, target, held, waiting, behind
  FROM sync.compared
 WHERE realm = %(realm)s AND run_id = %(run_id)s
 ORDER BY side DESC, subject;

-- read_drift --
-- The names of fields that differ in any of the records.
SELECT side, subject, entity, kind, repaired, count(DISTINCT id) AS count,
       (array_agg(DISTINCT id ORDER BY id))[:%(shown)s] AS ids,
       coalesce(array_agg(DISTINCT field ORDER BY field) FILTER (WHERE field IS NOT NULL), '{}') AS fields
  FROM sync.drift
  LEFT JOIN LATERAL jsonb_array_elements_text(details -> 'fields') AS field ON true
 WHERE realm = %(realm)s AND run_id = %(run_id)s
 GROUP BY side, subject, entity, kind, repaired
 ORDER BY side DESC, subject, entity, kind, repaired;

-- read_rows --
SELECT side, subject, entity, id, kind, details, repaired
  FROM sync.drift
 WHERE realm = %(realm)s AND run_id = %(run_id)s
 ORDER BY side DESC, subject, kind, entity, lpad(id, 40, '0');

-- read_totals --
SELECT side, subject, field, currency, source, held, waiting, target, held_records, waiting_records
  FROM sync.control_total
 WHERE realm = %(realm)s AND run_id = %(run_id)s
 ORDER BY side DESC, subject, field, currency;
