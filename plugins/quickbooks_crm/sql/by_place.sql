-- on --
-- What was just staged has no statistics: Postgres would fetch each row by its id, which takes several times longer once
-- there are more than fit into memory.
SELECT set_config('enable_indexscan', 'off', true);

-- off --
SELECT set_config('enable_indexscan', 'on', true);
