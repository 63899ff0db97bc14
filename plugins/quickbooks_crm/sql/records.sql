-- The CRM records of a module as people look at them: found in parts of bounded size, by indexes.

-- in_scope --
(current.{company} IS NULL OR current.{company}::text = %(company)s)

-- everywhere --
true

-- beyond --
current.{key} > %(after)s::text::{key_type}

-- part --
-- Records of the company, or of none, in the order of their keys: so many, whatever is wanted of them.
SELECT {columns} FROM {table} AS current WHERE {scope} AND {beyond} ORDER BY current.{key} LIMIT %(looked)s

-- own --
-- The QuickBooks record that a CRM record is. One that is another module's or another company's is not shown.
LEFT JOIN LATERAL (
     SELECT realm, module, entity, id, state, linked_at, run_id FROM sync.link
      WHERE record_key = current.{key}::text
        AND ((realm = %(realm)s AND module = ANY (%(sharing)s))
             OR EXISTS (SELECT FROM sync.module_position AS place
                         WHERE (place.realm, place.module) = (link.realm, link.module) AND place.target = %(table)s))
      ORDER BY (link.realm, link.module) = (%(realm)s, %(module)s) DESC LIMIT 1) AS own ON true
 WHERE (own.realm IS NULL OR (own.realm, own.module) = (%(realm)s, %(module)s))

-- whose --
-- Whether a CRM record is a QuickBooks record of the module; false when it is another module's or company's, nothing when
-- it is no QuickBooks record.
CROSS JOIN LATERAL (
     SELECT bool_or((realm, module) = (%(realm)s, %(module)s)) AS ours FROM sync.link
      WHERE record_key = current.{key}::text
        AND ((realm = %(realm)s AND module = ANY (%(sharing)s))
             OR EXISTS (SELECT FROM sync.module_position AS place
                         WHERE (place.realm, place.module) = (link.realm, link.module) AND place.target = %(table)s))) AS whose
 WHERE whose.ours IS NOT FALSE

-- keys --
-- Those of a part that are wanted.
SELECT current.{key}::text
  FROM ({part}) AS current
  {whose} AND {wanted}
 ORDER BY current.{key}
 LIMIT %(limit)s;

-- end_of_part --
-- The last of a part that is full.
SELECT current.{key}::text FROM ({part}) AS current ORDER BY current.{key} OFFSET %(looked)s - 1 LIMIT 1;

-- any --
true

-- linked --
whose.ours

-- by_hand --
whose.ours IS NULL

-- in_state --
-- Those of which QuickBooks said last that they are so, by their keys as text.
SELECT record_key, record_key AS place FROM sync.link
 WHERE (module, realm, state) = (%(module)s, %(realm)s, %(state)s) AND record_key > %(after)s
 ORDER BY record_key
 LIMIT %(limit)s;

-- listed_in --
-- Those that a table has rows of: open references, conflicts.
SELECT own.record_key, told.entity || '/' || told.id AS place
  FROM (SELECT DISTINCT entity, id FROM {listing}
         WHERE realm = %(realm)s AND module = %(module)s AND (entity, id) > (%(after_entity)s, %(after_id)s)
         ORDER BY entity, id
         LIMIT %(limit)s) AS told
 CROSS JOIN LATERAL (
       SELECT record_key FROM sync.link
        WHERE (realm, entity, id, module) = (%(realm)s, told.entity, told.id, %(module)s) LIMIT 1) AS own
 ORDER BY told.entity, told.id;

-- records --
-- The records with these keys, in this order, as far as they are the company's.
SELECT current.{key}::text AS key, (SELECT to_jsonb(shown.*) FROM (SELECT {columns}) AS shown) AS values,
       own.entity, own.id, own.state, own.linked_at, own.run_id = 'by hand' AS waits
  FROM unnest(%(keys)s::text[]) WITH ORDINALITY AS asked (key, place)
  JOIN {table} AS current ON current.{key} = asked.key::{key_type}
  {own} AND {scope}
 ORDER BY asked.place;

-- count --
-- How many records the company has, counted up to a limit.
SELECT count(*) FROM (SELECT FROM {table} AS current WHERE {scope} LIMIT %(most)s) AS counted;

-- realm --
-- The company of QuickBooks that one of our companies is; none before its first run.
SELECT realm FROM sync.company WHERE company = %(company)s
UNION
SELECT realm FROM sync.lease WHERE company = %(company)s
 LIMIT 1;

-- how_found --
-- By what indexes these columns can be searched: their normal form, or the column as it is.
WITH indexed AS (
    SELECT pg_get_indexdef(i.indexrelid, 1, true) AS form
      FROM pg_index AS i
      JOIN pg_class AS c ON c.oid = i.indexrelid
      JOIN pg_am AS am ON am.oid = c.relam AND am.amname = 'btree'
     WHERE i.indrelid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table_name)s::text)) AND i.indisvalid
       AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ '^\(.* IS NOT NULL\)$')
)
SELECT asked.name,
       EXISTS (SELECT FROM indexed WHERE form IN (format('sync.normal(%%I)', asked.name), format('sync.normal(%%I::text)', asked.name))) AS by_form,
       EXISTS (SELECT FROM indexed WHERE form = format('%%I', asked.name)) AS as_it_is
  FROM unnest(%(names)s::text[]) AS asked (name);

-- normal --
sync.normal(current.{column}::text)

-- as_it_is --
current.{column}

-- begins --
-- Records in which a column begins so: the index is followed from there, for so many records.
SELECT found.record_key
  FROM (SELECT current.{key}::text AS record_key, {form} AS form FROM {table} AS current
         WHERE {form} >= {sought} ORDER BY {form} LIMIT %(looked)s) AS found
 WHERE starts_with(found.form::text, {sought})
 ORDER BY found.form
 LIMIT %(limit)s;

-- sought --
sync.normal(%(text)s)

-- sought_as_it_is --
%(text)s::text

-- holds --
strpos({form}, sync.normal(%(text)s)) > 0

-- with_id --
SELECT record_key FROM sync.link
 WHERE realm = %(realm)s AND module = %(module)s AND entity = ANY (%(entities)s) AND id = %(text)s;

-- with_key --
SELECT current.{key}::text FROM {table} AS current WHERE current.{key} = %(text)s::text::{key_type};

-- lines --
SELECT (SELECT to_jsonb(shown.*) FROM (SELECT {columns}) AS shown) AS values
  FROM {table} AS current
 WHERE current.{parent} = %(key)s::text::{key_type}
 ORDER BY current.{position}
 LIMIT %(limit)s;

-- waiting --
-- The open references of a record, each with what is known of the record that it waits for.
SELECT parked.field AS at, parked.target_module, parked.target_entity, parked.target_id,
       coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name,
       record.id IS NOT NULL AS in_mirror, held.reason
  FROM sync.waiting AS parked
  LEFT JOIN quickbooks.record AS record
    ON (record.realm, record.entity, record.id) = (parked.realm, parked.target_entity, parked.target_id)
  LEFT JOIN sync.held AS held
    ON (held.realm, held.module, held.entity, held.id)
     = (parked.realm, parked.target_module, parked.target_entity, parked.target_id)
 WHERE (parked.realm, parked.module, parked.entity, parked.id) = (%(realm)s, %(module)s, %(entity)s, %(id)s)
 ORDER BY parked.field;

-- conflicts --
SELECT field AS at, crm, quickbooks, run_id, since FROM sync.conflict
 WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s)
 ORDER BY field;

-- source --
-- What the mirror has of a QuickBooks record, and what a person said of it.
SELECT coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name,
       sync.state_in_quickbooks(deleted, payload) AS state, updated_at
  FROM quickbooks.record
 WHERE (realm, entity, id) = (%(realm)s, %(entity)s, %(id)s);

-- referring --
-- The keys of records that point to this one, the first few.
SELECT current.{key}::text FROM {table} AS current
 WHERE current.{column} = %(key)s::text::{key_type}
 LIMIT %(limit)s;

-- referring_by_lines --
SELECT DISTINCT line.{parent}::text
  FROM (SELECT {parent} FROM {table} AS current WHERE current.{column} = %(key)s::text::{key_type} LIMIT %(limit)s) AS line;
