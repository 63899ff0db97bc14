-- by_names --
{record} #>> {names}

-- from_list --
jsonb_path_query_first({record}, {path}, {variables}, true) #>> '{{}}'

-- shown --
-- What another record shows; called otherwise here, so that `payload` is still that of the record itself.
(SELECT shown.content #>> {show}
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
