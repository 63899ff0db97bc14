-- Open references of records, closed when what they refer to is in the CRM.

-- fields_that_wait --
-- The fields with open references to records of this module, and its own ones with some to records of others that are there, which
-- no load of these has closed: not every run loads them. Of lines, whichever they are.
SELECT DISTINCT module, target_module, regexp_replace(field, '^@lines\.[0-9]+\.', '@lines.') FROM sync.parked
 WHERE realm = %(realm)s AND target_module = %(module)s
 UNION
SELECT DISTINCT own.module, own.target_module, regexp_replace(own.field, '^@lines\.[0-9]+\.', '@lines.')
  FROM sync.parked AS own
 CROSS JOIN LATERAL (
       SELECT record_key FROM sync.target
        WHERE (target.realm, target.module, target.entity, target.id)
            = (own.realm, own.target_module, own.target_entity, own.target_id) LIMIT 1) AS target
 WHERE own.realm = %(realm)s AND own.module = %(module)s AND own.target_module <> %(module)s
   AND own.tried IS DISTINCT FROM target.record_key AND own.refused IS NOT TRUE;

-- closing --
-- Open references, of records loaded earlier or just now, to records that are in the CRM now.
-- Each waiting one looks its records up, so that the work stays as small as the number of them.
CREATE TEMP TABLE closing ON COMMIT DROP AS
WITH waiting AS MATERIALIZED (
    SELECT entity, id, target_module, target_entity, target_id
      FROM sync.parked
     WHERE realm = %(realm)s AND module = %(module)s AND target_module = %(referred)s AND field = %(field)s
       AND NOT {of_a_refused_version}
)
SELECT waiting.entity, waiting.id, own.record_key, target.record_key AS target_key,
       NULL::jsonb AS before, NULL::jsonb AS after, false AS told
  FROM waiting
 CROSS JOIN LATERAL (
       SELECT record_key FROM sync.link
        WHERE (realm, entity, id, module) = (%(realm)s, waiting.entity, waiting.id, %(module)s) LIMIT 1) AS own
 CROSS JOIN LATERAL (
       SELECT record_key FROM sync.target
        WHERE (realm, module, entity, id)
            = (%(realm)s, waiting.target_module, waiting.target_entity, waiting.target_id) LIMIT 1) AS target;

-- of_a_refused_version --
-- What a version waits for that the table has refused, now or before: the CRM has an older one, and half of each is no record
-- at all. The newest version is read again, whole, when what it waits for is there.
(coalesce(parked.refused, false)
 OR EXISTS (SELECT FROM sync.held
             WHERE (realm, module, entity, id) = (parked.realm, parked.module, parked.entity, parked.id)
               AND reason = 'refused_by_table'))

-- closing_statistics --
ANALYZE closing;

-- close --
WITH held AS (
    SELECT closing.entity, closing.id, {image} AS before
      FROM closing
      JOIN {table} AS current ON current.{key} = closing.record_key::{key_type}
     WHERE {which}
), changed AS (
    UPDATE {table} AS current
       SET {column} = closing.target_key::{column_type} {with_it}
      FROM closing
     WHERE current.{key} = closing.record_key::{key_type} AND {which}
 RETURNING closing.entity, closing.id, {image} AS after
)
UPDATE closing
   SET before = held.before, after = changed.after
  FROM changed
  JOIN held ON (held.entity, held.id) = (changed.entity, changed.id)
 WHERE (closing.entity, closing.id) = (changed.entity, changed.id);

-- one_reference --
(closing.entity, closing.id) = (candidate.entity, candidate.id)

-- record_of_each --
CREATE INDEX ON {closing} (entity, id);

-- close_each --
-- The same for one record, or line, after the other: those of which the table refuses it stay as they are.
DO $refusals$
DECLARE
    candidate record;
    context text;
BEGIN
    FOR candidate IN SELECT * FROM {closing} AS closing ORDER BY entity, id LOOP
        BEGIN
            {close}
        EXCEPTION
            WHEN ASSERT_FAILURE OR QUERY_CANCELED OR OTHERS THEN
                GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
                IF NOT sync.is_refusal(SQLSTATE, context) THEN
                    RAISE;
                END IF;
        END;
    END LOOP;
END $refusals$;

-- refused --
-- Those of records that are there, whatever kept the table from taking them: an error, or a trigger that left them out.
SELECT count(*)
  FROM closing
 WHERE after IS NULL AND EXISTS (SELECT FROM {table} AS current WHERE current.{key} = closing.record_key::{key_type});

-- close_links --
-- What the record held otherwise than the sync wrote it stays a person's, and so does a reference that it held already.
UPDATE sync.link
   SET written = link.written
              || (SELECT jsonb_object_agg(key, value) FROM jsonb_each(known.after)
                   WHERE key = %(field)s OR link.written -> key = known.before -> key),
       agreed = nullif(ARRAY (SELECT key FROM jsonb_each(known.after)
                               WHERE CASE WHEN key = %(field)s OR link.written -> key = known.before -> key
                                          THEN known.before -> key = value
                                               AND (key = ANY (link.agreed) OR link.written -> key IS DISTINCT FROM value)
                                          ELSE key = ANY (link.agreed) END), '{{}}')
  FROM (SELECT own.ctid AS place, closing.before, closing.after
          FROM closing
         CROSS JOIN LATERAL (
               SELECT ctid FROM sync.link
                WHERE (realm, entity, id, module) = (%(realm)s, closing.entity, closing.id, %(module)s) LIMIT 1) AS own
         WHERE closing.after IS NOT NULL) AS known
 WHERE link.ctid = known.place;

-- close_parked --
DELETE FROM sync.parked
 WHERE ctid = ANY (ARRAY (
       SELECT own.ctid
         FROM closing
        CROSS JOIN LATERAL (
              SELECT ctid FROM sync.parked
               WHERE (realm, module, entity, id, field)
                   = (%(realm)s, %(module)s, closing.entity, closing.id, %(field)s) LIMIT 1) AS own
        WHERE closing.after IS NOT NULL));

-- close_outcomes --
-- What this run said of the record it brought up to date includes the reference, unless the record held it already.
WITH told AS (
    UPDATE sync.outcome
       SET after = CASE WHEN known.same THEN outcome.after
                        WHEN outcome.after ? '@lines'
                        THEN known.after || jsonb_build_object('@lines', outcome.after -> '@lines')
                        ELSE known.after END,
           before = CASE WHEN outcome.outcome = 'unchanged' AND NOT known.same THEN known.before ELSE outcome.before END,
           outcome = CASE WHEN outcome.outcome = 'unchanged' AND NOT known.same THEN 'updated' ELSE outcome.outcome END
      FROM (SELECT own.ctid AS place, closing.entity, closing.id, closing.before, closing.after,
                   closing.before = closing.after AS same
              FROM closing
             CROSS JOIN LATERAL (
                   SELECT ctid FROM sync.outcome
                    WHERE (realm, run_id, module, entity, id)
                        = (%(realm)s, %(run_id)s, %(module)s, closing.entity, closing.id)
                      AND outcome IN ('added', 'updated', 'unchanged') LIMIT 1) AS own
             WHERE closing.after IS NOT NULL) AS known
     WHERE outcome.ctid = known.place
 RETURNING known.entity, known.id
)
UPDATE closing SET told = true FROM told WHERE (closing.entity, closing.id) = (told.entity, told.id);

-- close_told --
INSERT INTO sync.resolved_reference (realm, run_id, module, entity, id, field, record_key, target_key, closed_by, was, with_it)
SELECT %(realm)s, %(run_id)s, %(module)s, entity, id, %(field)s, record_key, target_key, %(closed_by)s, before -> %(field)s,
       (SELECT jsonb_object_agg(key, jsonb_build_array(before -> key, value)) FROM jsonb_each(after)
         WHERE key <> %(field)s AND before -> key IS DISTINCT FROM value)
  FROM closing
 WHERE after IS NOT NULL AND NOT told
ON CONFLICT DO NOTHING;

-- closed --
DROP TABLE pg_temp.closing;

-- tried --
-- What could not be closed although its record is there, is work no more; each load tries it all the same.
UPDATE sync.parked
   SET tried = known.record_key
  FROM (SELECT own.ctid AS place, target.record_key
          FROM sync.parked AS own
         CROSS JOIN LATERAL (
               SELECT record_key FROM sync.target
                WHERE (target.realm, target.module, target.entity, target.id)
                    = (own.realm, own.target_module, own.target_entity, own.target_id) LIMIT 1) AS target
         WHERE own.realm = %(realm)s AND own.target_module = %(module)s
           AND own.module = ANY (%(referring)s) AND own.tried IS DISTINCT FROM target.record_key AND own.refused IS NOT TRUE
           AND NOT EXISTS (SELECT FROM sync.held
                            WHERE (held.realm, held.module, held.entity, held.id) = (own.realm, own.module, own.entity, own.id)
                              AND held.reason = 'refused_by_table')) AS known
 WHERE parked.ctid = known.place;
