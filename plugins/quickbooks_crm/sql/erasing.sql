-- people_by_email --
SELECT entity, id
  FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = ANY (%(entities)s)
   AND EXISTS (SELECT FROM regexp_split_to_table(payload #>> '{PrimaryEmailAddr,Address}', '[,;\s]+') AS address
                WHERE lower(address) = lower(%(email)s))
 ORDER BY entity, id;

-- is_known --
SELECT EXISTS (SELECT FROM quickbooks.record WHERE realm = %(realm)s AND entity = %(entity)s AND id = %(id)s)
    OR EXISTS (SELECT FROM sync.link WHERE realm = %(realm)s AND entity = %(entity)s AND id = %(id)s)
    OR EXISTS (SELECT FROM sync.outcome WHERE realm = %(realm)s AND entity = %(entity)s AND id = %(id)s);

-- put_on_list --
INSERT INTO sync.erased (realm, entity, id)
SELECT %(realm)s, entity, id FROM unnest(%(entities)s::text[], %(ids)s::text[]) AS person (entity, id)
ON CONFLICT DO NOTHING;

-- erasing_table --
-- The records of these people, their documents, and what else names them: as they are, and as they may be kept.
CREATE TEMP TABLE erasing ON COMMIT DROP AS
SELECT entity, id, payload AS was, is_person, is_person OR is_of AS is_whole,
       sync.without_person(entity, payload, is_person OR is_of, sync.erased_keys(), %(ids)s::text[]) AS now
  FROM (SELECT entity, id, payload,
               (entity, id) IN (SELECT * FROM unnest(%(entities)s::text[], %(ids)s::text[])) AS is_person,
               sync.is_of(payload, %(entities)s::text[], %(ids)s::text[]) AS is_of
          FROM quickbooks.record
         WHERE realm = %(realm)s) AS known
 WHERE is_person OR jsonb_path_exists(payload, '$.**.value ? (@ == $ids[*])',
                                      jsonb_build_object('ids', to_jsonb(%(ids)s::text[])));

-- erasing_lean --
-- What only has the same number somewhere stays as it is.
DELETE FROM erasing WHERE was = now AND NOT is_whole;

-- erasing_key --
ALTER TABLE erasing ADD PRIMARY KEY (entity, id);

-- numbers --
SELECT count(*) FILTER (WHERE is_person), count(*) FILTER (WHERE is_whole AND NOT is_person),
       count(*) FILTER (WHERE NOT is_whole)
  FROM erasing;

-- only_naming --
-- The records that are neither these people nor their documents.
SELECT entity, id FROM erasing WHERE NOT is_whole;

-- payloads_of_people --
SELECT was FROM erasing WHERE is_person;

-- picked_twice --
SELECT entity, id, 'active' {paths} FROM erasing WHERE entity = ANY (%(entities)s) ORDER BY entity, id;

-- linked_records --
-- The CRM records of what is erased, and whether another company has the same one.
SELECT erasing.entity, erasing.id, erasing.is_person, erasing.is_whole, link.record_key,
       EXISTS (SELECT FROM sync.link AS other
                 JOIN sync.module_position AS place ON (place.realm, place.module) = (other.realm, other.module)
                WHERE other.record_key = link.record_key AND other.realm <> %(realm)s AND place.target = %(table)s)
  FROM erasing
  JOIN sync.link AS link
    ON (link.realm, link.entity, link.id, link.module) = (%(realm)s, erasing.entity, erasing.id, %(module)s)
 ORDER BY erasing.entity, erasing.id;

-- take_record --
INSERT INTO leaving (table_name, record_key) VALUES (%(table)s, %(record_key)s) ON CONFLICT DO NOTHING;

-- stays_here --
SELECT EXISTS (SELECT FROM {table} AS current WHERE current.{key} = %(record_key)s::{key_type});

-- blank --
WITH changed AS (
    UPDATE {table} AS current
       SET ({columns}) = ROW ({new_columns})
      FROM jsonb_to_record(%(values)s) AS new ({record})
     WHERE current.{key} = %(record_key)s::{key_type}
 RETURNING to_jsonb(current.*) - %(unmapped)s::text[] AS image
)
UPDATE sync.link
   SET written = CASE WHEN %(is_whole)s THEN changed.image
                      ELSE link.written || sync.only(changed.image, %(columns)s::text[]) END,
       agreed = nullif(ARRAY (SELECT key FROM jsonb_each(changed.image)
                               WHERE key <> ALL (%(columns)s::text[]) AND value <> 'null'
                                 AND (key = ANY (link.agreed) OR %(is_whole)s AND link.written -> key IS DISTINCT FROM value)), '{{}}'),
       said = CASE WHEN NOT %(is_whole)s THEN nullif(link.said - %(columns)s::text[], '{{}}') END
  FROM changed
 WHERE (realm, entity, id, module) = (%(realm)s, %(entity)s, %(id)s, %(module)s);

-- new_text --
new.{column}

-- blank_lines --
UPDATE {table} AS line SET {column} = %(value)s WHERE line.{parent}::text = %(record_key)s AND {column} IS NOT NULL;

-- scrub_mirror --
UPDATE quickbooks.record
   SET payload = erasing.now
  FROM erasing
 WHERE record.realm = %(realm)s AND (record.entity, record.id) = (erasing.entity, erasing.id);

-- forget_link --
DELETE FROM sync.link WHERE (realm, entity, id, module) = (%(realm)s, %(entity)s, %(id)s, %(module)s);

-- forget_waiting --
DELETE FROM sync.parked WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s);

-- hold_erased --
INSERT INTO sync.held (realm, module, entity, id, outcome, reason, mapping_hash, run_id)
SELECT %(realm)s, place.module, erasing.entity, erasing.id, 'excluded', 'erased_on_request', place.mapping_hash, 'erase'
  FROM erasing
  JOIN sync.module_position AS place ON place.realm = %(realm)s AND place.module = %(module)s
 WHERE erasing.is_person AND erasing.entity = ANY (%(entities)s)
ON CONFLICT (realm, module, entity, id) DO UPDATE
   SET outcome = excluded.outcome, reason = excluded.reason, collides_with = NULL,
       mapping_hash = excluded.mapping_hash, candidates = '{}', cause = NULL, due = false;

-- hidden --
-- The columns of which nothing is kept: those that were blanked, of other records only those that name these people.
CASE WHEN is_whole THEN %(columns)s::text[] ELSE %(naming)s::text[] END

-- hide_outcomes --
-- Of these people and their documents nothing is kept, for an earlier version may have told more than the one that was blanked; of
-- other records what does not name these people. An undo needs to know of which references it is.
UPDATE sync.outcome
   SET message = CASE WHEN reason IS NOT NULL THEN 'Erased on request.' END,
       details = CASE WHEN NOT is_person AND details ? 'references' THEN sync.only(details, '{references}') END,
       before = CASE WHEN NOT is_whole THEN sync.without_keys(before, %(naming)s::text[]) END,
       after = CASE WHEN NOT is_whole THEN sync.without_keys(after, %(naming)s::text[])
                    WHEN after IS NOT NULL THEN '{}'::jsonb END,
       left_alone = CASE WHEN NOT is_whole THEN left_alone END
  FROM erasing
 WHERE outcome.realm = %(realm)s AND outcome.module = %(module)s
   AND (outcome.entity, outcome.id) = (erasing.entity, erasing.id);

-- hide_telling --
-- What still tells of these people in another record loses all columns that were blanked, and what tells of them in those that
-- the mapping leaves alone.
UPDATE sync.outcome
   SET before = sync.without_keys(before, %(columns)s::text[]), after = sync.without_keys(after, %(columns)s::text[]),
       left_alone = CASE WHEN left_alone IS NOT NULL THEN coalesce((
           SELECT jsonb_object_agg(key, value) FROM jsonb_each(left_alone)
            WHERE NOT EXISTS (SELECT FROM unnest(%(values)s::text[]) AS sought WHERE strpos(lower(value::text), sought) > 0)), '{}') END
  FROM erasing
 WHERE NOT is_whole AND outcome.realm = %(realm)s AND outcome.module = %(module)s
   AND (outcome.entity, outcome.id) = (erasing.entity, erasing.id)
   AND EXISTS (SELECT FROM unnest(%(values)s::text[]) AS sought WHERE strpos(lower(concat(before, after, left_alone)), sought) > 0);

-- forget_former --
-- What documents held, no undo brings back.
DELETE FROM sync.former
 USING erasing
 WHERE is_whole AND former.realm = %(realm)s AND (former.entity, former.id) = (erasing.entity, erasing.id);

-- hide_former --
UPDATE sync.former
   SET was = CASE kind WHEN 'link' THEN former.was || jsonb_build_object('written', sync.without_keys(former.was -> 'written', %(naming)s::text[]),
                                                                         'said', sync.without_keys(former.was -> 'said', %(naming)s::text[]))
                       ELSE sync.without_keys(former.was, %(naming)s::text[]) END,
       became = became || jsonb_build_object('written', sync.without_keys(became -> 'written', %(naming)s::text[]),
                                             'said', sync.without_keys(became -> 'said', %(naming)s::text[]))
  FROM erasing
 WHERE former.realm = %(realm)s AND former.module = %(module)s AND former.kind IN ('link', 'line')
   AND (former.entity, former.id) = (erasing.entity, erasing.id);

-- forget_fields --
-- Conflicts of fields of which nothing is kept.
DELETE FROM {table} AS own
 USING erasing
 WHERE own.realm = %(realm)s AND own.module = %(module)s AND (own.entity, own.id) = (erasing.entity, erasing.id)
   AND own.field = ANY ({hidden});

-- hide_outcomes_of_others --
-- Of modules whose mapping or table is not there any more nobody knows which column tells what.
UPDATE sync.outcome
   SET message = CASE WHEN reason IS NOT NULL THEN 'Erased on request.' END,
       details = NULL,
       before = NULL,
       after = CASE WHEN after IS NOT NULL THEN '{}'::jsonb END,
       left_alone = NULL
  FROM erasing
 WHERE outcome.realm = %(realm)s AND outcome.module <> ALL (%(modules)s)
   AND (outcome.entity, outcome.id) = (erasing.entity, erasing.id);

-- hide_links_of_others --
UPDATE sync.link
   SET written = '{}', said = NULL
  FROM erasing
 WHERE link.realm = %(realm)s AND link.module <> ALL (%(modules)s)
   AND (link.entity, link.id) = (erasing.entity, erasing.id);

-- others --
-- The modules of these people's records whose mapping or table is not there any more, each with its table.
SELECT place.module, place.target
  FROM sync.module_position AS place
 WHERE place.realm = %(realm)s AND place.module <> ALL (%(modules)s)
   AND EXISTS (SELECT FROM erasing
                 JOIN sync.link AS link
                   ON (link.realm, link.entity, link.id, link.module)
                    = (%(realm)s, erasing.entity, erasing.id, place.module))
 ORDER BY place.module;

-- hide_written --
-- What the lines of a document were is forgotten whole: lines without the emptied columns would look changed by somebody.
UPDATE sync.link
   SET written = sync.without_keys(written - '@lines', %(columns)s::text[]), said = nullif(said - %(columns)s::text[], '{}')
  FROM erasing
 WHERE is_whole AND link.realm = %(realm)s AND link.module = %(module)s AND (link.entity, link.id) = (erasing.entity, erasing.id)
   AND written ? '@lines';

-- hide_breakers --
UPDATE sync.breaker SET details = '{}'
 WHERE realm = %(realm)s
   AND (EXISTS (SELECT FROM unnest(%(values)s::text[]) AS sought WHERE strpos(lower(details::text), sought) > 0)
        OR EXISTS (SELECT FROM erasing
                    WHERE details @> jsonb_build_object('records', jsonb_build_array(
                                         jsonb_build_object('entity', entity, 'id', id)))));

-- hide_shown --
UPDATE sync.shown SET value = NULL
  FROM erasing
 WHERE erasing.is_person AND shown.realm = %(realm)s
   AND (shown.shown_entity, shown.shown_id) = (erasing.entity, erasing.id);

-- forget_telling --
-- What still tells of these people, and what nobody knows any more which column tells what.
DELETE FROM {table} AS own
 USING erasing
 WHERE own.realm = %(realm)s AND (own.entity, own.id) = (erasing.entity, erasing.id)
   AND (own.module <> ALL (%(modules)s)
        OR EXISTS (SELECT FROM unnest(%(values)s::text[]) AS sought WHERE strpos(lower(to_jsonb(own.*)::text), sought) > 0));

-- as_left --
-- A link that was blanked is still as the undo has left it that nobody has touched since.
UPDATE sync.former
   SET became = became || jsonb_build_object('written', link.written, 'agreed', link.agreed, 'said', link.said)
  FROM sync.link
  JOIN erasing ON (link.entity, link.id) = (erasing.entity, erasing.id)
 WHERE link.realm = %(realm)s
   AND (former.realm, former.module, former.kind, former.entity, former.id) = (link.realm, link.module, 'link', link.entity, link.id)
   AND former.became - '{written,agreed,said,linked_at}'::text[] = to_jsonb(link.*) - '{written,agreed,said,linked_at}'::text[];

-- tables_of_records --
-- All other tables that say something of single records.
SELECT n.nspname::text, c.relname::text
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = 'sync' AND c.relkind IN ('r', 'p') AND c.relname <> ALL (%(known)s::text[])
   AND 3 = (SELECT count(*) FROM pg_attribute AS a
             WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attname IN ('realm', 'entity', 'id'));

-- forget_records --
-- Of the people; and of what else there is of them, unless it says what was decided.
DELETE FROM {table} AS own USING erasing
 WHERE own.realm = %(realm)s AND (own.entity, own.id) = (erasing.entity, erasing.id)
   AND (erasing.is_person OR NOT %(decided)s);

-- tables_to_search --
SELECT n.nspname::text, c.relname::text
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = ANY (%(schemas)s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
 ORDER BY 1, 2;

-- search --
SELECT count(*) FROM {table} AS found
 WHERE EXISTS (SELECT FROM unnest(%(values)s::text[]) AS sought WHERE strpos(lower(to_jsonb(found.*)::text), sought) > 0);
