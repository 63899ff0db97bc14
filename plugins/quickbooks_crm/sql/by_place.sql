-- on --
-- What was just staged has no statistics: Postgres would fetch each row by its id, which takes several times longer once
-- there are more than fit into memory. Nor does it read all that lies there: rows of others, and what these have left behind.
SELECT set_config('enable_indexscan', 'off', true), set_config('enable_seqscan', 'off', true);

-- off --
SELECT set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'on', true);
