-- What a company has in the CRM and what waits; never more is counted than a page shows.

-- by_indexes --
-- Of a module with few links the planner thinks that reading the whole table finds them sooner: they may come last in it.
SELECT set_config('enable_seqscan', 'off', true);

-- module --
-- When a module was last loaded, how many records of it the CRM has, as far as they come from QuickBooks, and how many have
-- changed in the mirror since. The order keeps to the table's key: the records of another module may come first in it.
WITH loaded AS (
    SELECT max(loaded_at) AS at, coalesce(max(generation), 0) AS position
      FROM sync.module_position WHERE realm = %(realm)s AND module = %(module)s
)
SELECT loaded.at,
       (SELECT count(*)
          FROM (SELECT FROM unnest(%(entities)s::text[]) AS asked (entity)
                 CROSS JOIN LATERAL (
                       SELECT FROM sync.link
                        WHERE realm = %(realm)s AND link.entity = asked.entity AND module = %(module)s AND loaded.at IS NOT NULL
                        ORDER BY link.id LIMIT %(most)s) AS own
                 LIMIT %(most)s) AS few),
       (SELECT count(*)
          FROM (SELECT FROM sync.generation AS written
                 CROSS JOIN unnest(%(entities)s::text[]) AS asked (entity)
                 CROSS JOIN LATERAL (
                       SELECT FROM quickbooks.record AS record
                        WHERE record.generation = written.generation AND record.entity = asked.entity LIMIT %(most)s) AS own
                 WHERE written.realm = %(realm)s AND written.generation > loaded.position AND written.sealed_at IS NOT NULL
                 LIMIT %(most)s) AS few)
  FROM loaded;

-- in_mirror --
-- Whether anything of these entities has been read.
SELECT EXISTS (SELECT FROM unnest(%(entities)s::text[]) AS asked (entity)
                CROSS JOIN LATERAL (
                      SELECT FROM quickbooks.record
                       WHERE realm = %(realm)s AND record.entity = asked.entity ORDER BY record.id LIMIT 1) AS own);

-- last_load --
SELECT loaded_at FROM sync.module_position WHERE realm = %(realm)s AND module = %(module)s;
