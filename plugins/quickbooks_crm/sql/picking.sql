-- by_names --
{record} {as_} {names}

-- from_list --
jsonb_path_query_first({record}, {path}, {variables}, true) {as_} '{{}}'

-- whole --
-- An object or a list as its JSON after a mark, everything else as its text; what is empty is blank as ever.
(SELECT CASE WHEN jsonb_typeof(own.value) IN ('object', 'array') AND own.value NOT IN ('{{}}', '[]')
             THEN {mark} || own.value::text ELSE ltrim(own.value #>> '{{}}', {mark}) END
   FROM (SELECT {value} AS value OFFSET 0) AS own)

-- shown --
-- What another record shows; called otherwise here, so that `payload` is still that of the record itself.
(SELECT shown.content {as_} {show}
   FROM (SELECT realm, entity, id, payload AS content FROM quickbooks.record) AS shown
  WHERE (shown.realm, shown.entity, shown.id) = (%(realm)s, {entity}, {id}) LIMIT 1)

-- shown_name --
-- The name of another record without the ending that QuickBooks gives what is inactive; else the one it sends along, which
-- has that ending for the same cause.
coalesce((SELECT CASE WHEN shown.content ->> 'Active' = 'false'
                      THEN regexp_replace(shown.content #>> {show}, '\s*\(deleted( [0-9]+)?\)$', '', 'i')
                      ELSE shown.content #>> {show} END
            FROM (SELECT realm, entity, id, payload AS content FROM quickbooks.record) AS shown
           WHERE (shown.realm, shown.entity, shown.id) = (%(realm)s, {entity}, {id}) LIMIT 1),
         regexp_replace({sent_along}, '\s*\(deleted( [0-9]+)?\)$', '', 'i'))
