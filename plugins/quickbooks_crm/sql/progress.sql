-- How far a run is, for who waits for it.

-- realm --
-- The realm of a company's run.
SELECT realm FROM sync.run WHERE company = %(company)s AND run_id = %(run_id)s ORDER BY started_at DESC LIMIT 1;

-- read_so_far --
-- How many records of each entity the run has read from QuickBooks; no more are counted than a page shows.
SELECT asked.entity, counted.records
  FROM (SELECT max(generation) AS generation FROM sync.generation
         WHERE realm = %(realm)s AND run_id = %(run_id)s) AS newest
 CROSS JOIN unnest(%(entities)s::text[]) AS asked (entity)
 CROSS JOIN LATERAL (
       SELECT count(*) AS records
         FROM (SELECT FROM quickbooks.record
                WHERE generation = newest.generation AND entity = asked.entity LIMIT %(most)s) AS few) AS counted
 WHERE counted.records > 0
 ORDER BY asked.entity;

-- left_out --
-- Whether records of these modules are held back since somebody has undone them, and whether any are for another reason that a
-- person may see to.
SELECT EXISTS (SELECT FROM sync.held WHERE realm = %(realm)s AND module = ANY (%(modules)s) AND reason = 'undone') AS undone,
       EXISTS (SELECT FROM sync.held
                WHERE realm = %(realm)s AND module = ANY (%(modules)s) AND outcome <> 'excluded' AND reason <> 'undone') AS others;

-- staged --
-- How many rows of each module are shaped and checked, and wait to be written.
SELECT module, rows FROM sync.stage WHERE realm = %(realm)s AND run_id = %(run_id)s;
