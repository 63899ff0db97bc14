-- tell --
-- The records that were loaded and whose reference leads back to themselves. A way that comes back to where it was ends.
WITH RECURSIVE way (entity, id, start, at, passed) AS (
    SELECT i.entity, i.id, i.record_key, current.{column}::text, ARRAY[i.record_key]
      FROM incoming AS i
      JOIN {table} AS current ON current.{key} = i.record_key::{key_type}
     WHERE i.outcome IN ('added', 'updated') AND i.refs ? %(field)s AND current.{column} IS NOT NULL
     UNION ALL
    SELECT way.entity, way.id, way.start, current.{column}::text, way.passed || way.at
      FROM way
      JOIN {table} AS current ON current.{key} = way.at::{key_type}
     WHERE way.at <> ALL (way.passed) AND current.{column} IS NOT NULL
)
UPDATE sync.outcome
   SET details = coalesce(details, '{{}}') || jsonb_build_object('notes', coalesce(details -> 'notes', '[]') || note.said)
  FROM (SELECT jsonb_build_object('reason', 'circle', 'field', %(field)s::text, 'label', %(label)s::text,
                                  'rule', 'leads back to the record itself') AS said) AS note
 WHERE outcome.ctid = ANY (ARRAY (
       SELECT own.ctid
         FROM (SELECT DISTINCT entity, id FROM way WHERE at = start) AS found
        CROSS JOIN LATERAL (
              SELECT ctid FROM sync.outcome
               WHERE (realm, run_id, module, entity, id)
                   = (%(realm)s, %(run_id)s, %(module)s, found.entity, found.id) LIMIT 1) AS own))
RETURNING outcome.id;
