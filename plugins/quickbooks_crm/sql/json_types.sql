-- misplaced --
CASE WHEN {any} THEN to_jsonb(array_remove(ARRAY[{each}], NULL))::text END

-- exists --
jsonb_path_exists({record}, {path}, {variables}, true)

-- number --
CASE WHEN {exists} THEN {number} END
