-- begin --
DROP TABLE IF EXISTS pg_temp.owner_known, pg_temp.owner_fallback, pg_temp.owner_meant;
CREATE TEMP TABLE owner_known (field text, normal text, record_key text, PRIMARY KEY (field, normal)) ON COMMIT DROP;
CREATE TEMP TABLE owner_fallback (field text PRIMARY KEY, record_key text, standing text) ON COMMIT DROP;
CREATE TEMP TABLE owner_meant (said text PRIMARY KEY, record_key text) ON COMMIT DROP;

-- one_user --
SELECT count(*) FROM {users} AS person
 WHERE {is_active} AND sync.normal(person.{external_id}::text) = sync.normal(%(external_id)s);

-- flagged --
person.{active}

-- everybody --
true

-- nothing --
NULL::text

-- users --
-- The active users, by what QuickBooks calls them. An id that several have names nobody.
INSERT INTO owner_known (field, normal, record_key)
SELECT %(field)s::text, sync.normal(person.{external_id}::text), min(person.{key}::text)
  FROM {users} AS person
 WHERE {is_active} AND sync.normal(person.{external_id}::text) IS NOT NULL
 GROUP BY sync.normal(person.{external_id}::text)
HAVING count(*) = 1;

-- who_there_is --
-- The External User Ids by which owners can be found now: when they are others, a refused record may have an owner.
(SELECT string_agg(sync.normal(person.{external_id}::text), ', ' ORDER BY sync.normal(person.{external_id}::text))
   FROM {users} AS person WHERE {is_active})

-- fallback --
-- Whom a record gets that has no owner: the person who runs the import, known by external id or e-mail, or else the
-- default owner (standing), that of the mapping or else of the company.
INSERT INTO owner_fallback (field, record_key, standing)
SELECT %(field)s::text, coalesce(by_id.record_key, by_email.record_key, standing.record_key), standing.record_key
  FROM (SELECT sync.normal(CASE WHEN trigger NOT IN ('scheduled', 'webhook') THEN started_by END) AS person,
               sync.normal(coalesce(%(default_owner)s::text, settings ->> 'default_owner')) AS default_owner
          FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s) AS run
  LEFT JOIN owner_known AS by_id ON (by_id.field, by_id.normal) = (%(field)s::text, run.person)
  LEFT JOIN owner_known AS standing ON (standing.field, standing.normal) = (%(field)s::text, run.default_owner)
  LEFT JOIN LATERAL (
       SELECT min(person.{key}::text) AS record_key FROM {users} AS person
        WHERE {is_active} AND sync.normal({email}::text) = run.person
       HAVING count(*) = 1) AS by_email ON true;

-- looked_at --
-- What lacks something else is looked at, too, and is told all of it.
(i.outcome IS NULL OR i.reason IN ('missing_required', 'invalid_value', 'unknown_owner'))

-- meant --
INSERT INTO owner_meant (said, record_key)
SELECT cell.said, known.record_key
  FROM (SELECT DISTINCT fields ->> %(field)s AS said
          FROM incoming AS i
         WHERE {looked_at}
           AND fields ->> %(field)s IS NOT NULL) AS cell
  LEFT JOIN owner_known AS known ON (known.field, known.normal) = (%(field)s::text, sync.normal(cell.said));

-- statistics --
ANALYZE owner_meant;

-- next --
TRUNCATE owner_meant;

-- give --
UPDATE incoming AS i
   SET fields = CASE WHEN own.refused THEN i.fields
                     ELSE i.fields || jsonb_build_object(%(field)s::text, coalesce(meant.record_key, fallback.standing)) END,
       outcome = CASE WHEN own.refused THEN 'not_added' ELSE i.outcome END,
       action = CASE WHEN NOT own.refused THEN i.action END,
       reason = CASE WHEN own.refused THEN coalesce(i.reason, 'unknown_owner') ELSE i.reason END,
       message = CASE WHEN own.refused
                      THEN concat_ws(' ', i.message, format('%%s ''%%s'' is the External User Id of no active user.',
                                                            %(label)s::text, left(meant.said, 40)))
                      ELSE i.message END,
       details = CASE WHEN own.refused THEN coalesce(i.details, '[]') || own.note ELSE i.details END,
       notes = CASE WHEN meant.record_key IS NULL AND NOT own.refused THEN coalesce(i.notes, '[]') || own.note ELSE i.notes END
  FROM owner_meant AS meant
  JOIN owner_fallback AS fallback ON fallback.field = %(field)s
 CROSS JOIN LATERAL (
       SELECT meant.record_key IS NULL AND %(rejects)s AS refused,
              jsonb_build_object('reason', 'unknown_owner', 'field', %(field)s::text, 'label', %(label)s::text,
                                 'value', left(meant.said, 40), 'rule', 'is the External User Id of no active user') AS note) AS own
 WHERE {looked_at}
   AND i.fields ->> %(field)s = meant.said;

-- missing --
-- Beside what has been found to be missing, wrong or unknown before. Of a record that could not be read nothing is said.
UPDATE incoming AS i
   SET outcome = 'not_added', reason = 'missing_required',
       message = concat_ws(' ', i.message, format('%%s is required, and nobody is named.', %(label)s::text)),
       details = coalesce(i.details, '[]') || jsonb_build_object('reason', 'missing_required', 'field', %(field)s::text,
                                                                 'label', %(label)s::text, 'rule', 'is required, and nobody is named')
  FROM owner_fallback AS fallback
 WHERE %(required)s AND fallback.field = %(field)s AND fallback.record_key IS NULL
   AND {looked_at}
   AND NOT i.linked AND i.fields ->> %(field)s IS NULL AND i.fields <> jsonb_build_object();

-- keep --
-- Where QuickBooks names nobody, the record keeps whom it has, or gets somebody.
UPDATE incoming AS i
   SET image = i.image || jsonb_build_object(%(field)s::text,
                                             coalesce(nullif(i.before -> %(field)s, 'null'), to_jsonb(fallback.record_key::{type})))
  FROM owner_fallback AS fallback
 WHERE fallback.field = %(field)s AND i.action = 'update' AND i.state <> 'deleted' AND i.image -> %(field)s = 'null'
   AND (i.before -> %(field)s <> 'null' OR fallback.record_key IS NOT NULL);

-- inherit --
-- The owner of the record that these belong to, where it has one.
UPDATE incoming AS i
   SET image = i.image || jsonb_build_object(%(field)s::text, above.{above_owner})
  FROM {above} AS above
 WHERE i.action = 'update' AND i.state <> 'deleted'
   AND above.{above_key} = (i.image ->> %(same_as)s)::{above_key_type}
   AND above.{above_owner} IS NOT NULL
   AND i.image -> %(field)s IS DISTINCT FROM to_jsonb(above.{above_owner});

-- same --
AND (i.state = 'deleted'
     OR NOT EXISTS (SELECT FROM {above} AS above
                     WHERE above.{above_key} = (i.fields ->> {same_as})::{above_key_type}
                       AND i.written -> {field} IS DISTINCT FROM coalesce(to_jsonb(above.{above_owner}), 'null')))

-- closing --
, {column} = coalesce(current.{column}, (SELECT above.{above_owner} FROM {above} AS above
                                         WHERE above.{above_key} = closing.target_key::{above_key_type}))

-- new_owner --
coalesce(new.{column}, (SELECT record_key FROM owner_fallback WHERE field = {field})::{type})

-- new_inherited --
(SELECT above.{above_owner} FROM {above} AS above WHERE above.{above_key} = new.{same_as})
