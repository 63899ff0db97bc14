-- What a person has to look at: records held back that only a person can settle, CRM records that no QuickBooks record
-- is, and CRM records that look alike.

-- held --
-- The first of each reason, so that none crowds out another.
SELECT held.entity, held.id, held.outcome, held.reason, held.run_id, held.held_since,
       CASE WHEN held.candidates <> '{}' THEN held.candidates
            WHEN jsonb_typeof(told.details -> 'candidates') = 'array'
            THEN ARRAY (SELECT jsonb_array_elements_text(told.details -> 'candidates'))
            WHEN held.collides_with IS NOT NULL THEN ARRAY[held.collides_with] ELSE '{}' END AS candidates,
       coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name
  FROM (SELECT waiting.*,
               row_number() OVER (PARTITION BY reason ORDER BY entity, length(id), id) AS place
          FROM sync.held AS waiting
         WHERE realm = %(realm)s AND module = %(module)s AND NOT due
           AND (outcome = 'duplicate' OR reason IN ('ambiguous_key', 'unlinked', 'undone')
                OR (reason = 'refused_by_table' AND candidates <> '{}'))) AS held
  LEFT JOIN sync.outcome AS told
    ON (told.realm, told.run_id, told.module, told.entity, told.id)
     = (held.realm, held.run_id, held.module, held.entity, held.id)
  LEFT JOIN quickbooks.record AS record
    ON (record.realm, record.entity, record.id) = (held.realm, held.entity, held.id)
 WHERE held.place <= %(limit)s
 ORDER BY held.reason, held.place;

-- held_count --
SELECT reason, count(*) FROM sync.held
 WHERE realm = %(realm)s AND module = %(module)s AND NOT due
   AND (outcome = 'duplicate' OR reason IN ('ambiguous_key', 'unlinked', 'undone')
        OR (reason = 'refused_by_table' AND candidates <> '{}'))
 GROUP BY reason ORDER BY reason;

-- names_of --
-- What the check fields, or else the key, of CRM records hold.
SELECT current.{key}::text, jsonb_build_object({shown})
  FROM {table} AS current
 WHERE current.{key} = ANY (%(keys)s::text[]::{key_type}[]);

-- shown --
{name}, current.{column}

-- unmatched --
-- CRM records of the company, or of none, that no QuickBooks record is.
SELECT current.{key}::text
  FROM {table} AS current
 WHERE {scope}
   AND NOT EXISTS (SELECT FROM sync.link WHERE record_key = current.{key}::text AND module = ANY (%(sharing)s))
 ORDER BY current.{key}
 LIMIT %(limit)s;

-- unmatched_count --
SELECT count(*)
  FROM {table} AS current
 WHERE {scope}
   AND NOT EXISTS (SELECT FROM sync.link WHERE record_key = current.{key}::text AND module = ANY (%(sharing)s));

-- in_scope --
(current.{company} IS NULL OR current.{company}::text = %(company)s)

-- everywhere --
true

-- alike --
-- Groups of CRM records that are the same to the eye. Of each, those of which a person has said of all others whether they
-- are the same are left out.
WITH seen AS (
    SELECT current.{key}::text AS record_key, {form} AS form
      FROM {table} AS current
     WHERE {scope}
), crowded AS (
    SELECT (array_agg(record_key ORDER BY length(record_key), record_key))[1:20] AS keys, count(*) AS size
      FROM seen
     WHERE form IS NOT NULL
     GROUP BY form
    HAVING count(*) > 1
), told AS (
    SELECT record_key, other_key FROM sync.different
     WHERE realm = %(realm)s AND module = ANY (%(sharing)s) AND other_key <> ''
    UNION
    SELECT record_key, other_key FROM sync.same
     WHERE realm = %(realm)s AND module = ANY (%(sharing)s) AND other_key <> ''
    UNION
    SELECT least(different.record_key, own.record_key), greatest(different.record_key, own.record_key)
      FROM sync.different AS different
     CROSS JOIN LATERAL (
           SELECT record_key FROM sync.link
            WHERE (realm, entity, id, module)
                = (different.realm, different.entity, different.id, different.module) LIMIT 1) AS own
     WHERE different.realm = %(realm)s AND different.module = ANY (%(sharing)s) AND different.other_key = ''
)
SELECT alike.keys, size - cardinality(crowded.keys) + cardinality(alike.keys) AS size
  FROM crowded
 CROSS JOIN LATERAL (
       SELECT ARRAY (SELECT one FROM unnest(crowded.keys) WITH ORDINALITY AS member (one, place)
                      WHERE EXISTS (SELECT FROM unnest(crowded.keys) AS other
                                     WHERE other <> one
                                       AND NOT EXISTS (SELECT FROM told
                                                        WHERE (told.record_key, told.other_key)
                                                            = (least(one, other), greatest(one, other))))
                      ORDER BY place) AS keys) AS alike
 WHERE cardinality(alike.keys) > 1
 ORDER BY length(alike.keys[1]), alike.keys[1];

-- skeleton --
sync.skeleton(current.{column}::text)

-- as_it_is --
nullif(current.{column}::text, '')

-- e_mail --
sync.normal_email(current.{column}::text)

-- all_of --
CASE WHEN {complete} THEN jsonb_build_array({forms})::text END

-- present --
{form} IS NOT NULL
