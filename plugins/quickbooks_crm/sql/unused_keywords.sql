-- Keywords that a run added to lists of the CRM, when the run is undone and when it is done again.

-- added --
SELECT list, list_key, array_agg(DISTINCT value) AS values
  FROM sync.added_keyword
 WHERE realm = %(realm)s AND run_id = %(undone)s
 GROUP BY list, list_key
 ORDER BY list, list_key;

-- columns --
-- The columns that take their keywords from a list, as the forms say; several keywords stand in an array.
SELECT table_name, column_name, multi_value
  FROM {form_field}
 WHERE keyword_list_id::text = %(list_key)s AND to_regclass(table_name) IS NOT NULL;

-- used --
SELECT keyword
  FROM unnest(%(values)s::text[]) AS keyword
 WHERE EXISTS (SELECT FROM {table} AS current WHERE current.{column}::text = keyword);

-- used_among --
SELECT keyword
  FROM unnest(%(values)s::text[]) AS keyword
 WHERE EXISTS (SELECT FROM {table} AS current WHERE keyword = ANY (current.{column}::text[]));

-- drop --
-- A keyword that people have renamed is theirs.
WITH dropped AS (
    DELETE FROM {keyword_values} AS own
     USING sync.added_keyword AS added
     WHERE added.realm = %(realm)s AND added.run_id = %(undone)s AND added.list = %(list)s AND added.list_key = %(list_key)s
       AND own.id::text = added.value_key AND own.list_id::text = added.list_key AND own.value = added.value
       AND added.value <> ALL (%(used)s::text[])
    RETURNING own.id::text AS key, to_jsonb(own.*) AS was
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
SELECT DISTINCT %(realm)s, %(run_id)s, %(module)s, 'keyword', %(list)s, key, '', was
  FROM dropped
ON CONFLICT DO NOTHING;

-- named_otherwise --
-- Values for which people have written down other names are in use.
SELECT own.value
  FROM {keyword_values} AS own
  JOIN {keyword_aliases} AS other ON other.value_id = own.id
 WHERE own.list_id::text = %(list_key)s AND own.value = ANY (%(values)s::text[]);

-- has_aliases --
SELECT to_regclass(format('%%I.keyword_aliases', %(schema)s::text)) IS NOT NULL;

-- dropped --
SELECT DISTINCT entity FROM sync.former
 WHERE realm = %(realm)s AND run_id = %(undone)s AND module = %(module)s AND kind = 'keyword';

-- bring_back --
-- But for those that the list has by now, perhaps in another spelling.
WITH back AS (
    INSERT INTO {keyword_values} OVERRIDING SYSTEM VALUE
    SELECT was.*
      FROM sync.former AS former
     CROSS JOIN LATERAL jsonb_populate_record(NULL::{keyword_values}, former.was) AS was
     WHERE former.realm = %(realm)s AND former.run_id = %(undone)s AND former.module = %(module)s
       AND former.kind = 'keyword' AND former.entity = %(list)s
       AND NOT EXISTS (SELECT FROM {keyword_values} AS own
                        WHERE own.list_id = was.list_id AND sync.normal(own.value) = sync.normal(was.value))
    ON CONFLICT DO NOTHING
    RETURNING id::text AS key
)
INSERT INTO sync.added_keyword (realm, run_id, module, field, value, list, list_key, value_key)
SELECT DISTINCT ON (added.module, added.field, added.value)
       added.realm, %(run_id)s, added.module, added.field, added.value, added.list, added.list_key, added.value_key
  FROM back
  JOIN sync.added_keyword AS added
    ON added.realm = %(realm)s AND added.list = %(list)s AND added.value_key = back.key
ON CONFLICT DO NOTHING;
