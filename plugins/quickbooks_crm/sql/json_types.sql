-- misplaced --
CASE WHEN ({seems}) IS TRUE AND {any} THEN to_jsonb(array_remove(ARRAY[{each}], NULL))::text END

-- exists --
jsonb_path_exists({record}, {path}, {variables}, true)

-- number --
CASE WHEN {exists} THEN {number} END

-- unlike --
jsonb_typeof({record} #> {path}) {unlike}

-- seems_in_lines --
-- Lines of a bundle are only listed where its own are a list.
EXISTS (SELECT FROM sync.lines({record} -> {list})
         WHERE jsonb_typeof(payload -> 'GroupLineDetail') <> 'object'
            OR jsonb_typeof(payload #> '{{GroupLineDetail,Line}}') <> 'array'
            OR {unlike})
