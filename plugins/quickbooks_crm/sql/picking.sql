-- by_names --
{record} #>> {names}

-- from_list --
jsonb_path_query_first({record}, {path}, {variables}, true) #>> '{{}}'
