-- Rehearsing a run: a transaction that is rolled back, and what it tells carried out of it.

-- one_moment --
-- All of it sees the database as it is now, whatever others commit meanwhile.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- patience --
-- Wait this long for others that write to the same tables, not longer.
SELECT set_config('lock_timeout', %(milliseconds)s, true);

-- positions --
-- How far every module was loaded: another answer outside means that a run has loaded one meanwhile.
SELECT coalesce(jsonb_object_agg(module, generation), '{}') FROM sync.module_position WHERE realm = %(realm)s;

-- taken_out --
-- The newest act that took a person, or the company, out for good.
SELECT coalesce(max(act), 0) FROM sync.act
 WHERE company = %(company)s AND kind IN ('person_erased', 'company_removed');

-- temporary --
-- What a load leaves for the end of its transaction; the order of a replay outlives its loads.
SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind = 'r' AND relname <> 'replaying';

-- drop --
DROP TABLE pg_temp.{table};

-- telling --
-- The tables that say what runs did, by their primary keys, each with its columns; not the calls to QuickBooks, which a
-- rehearsal makes in earnest.
SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum)
  FROM pg_constraint AS p
  JOIN pg_class AS c ON c.oid = p.conrelid
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 WHERE p.contype = 'p'
   AND c.relnamespace = 'sync'::regnamespace
   AND cardinality(p.conkey) > 2
   AND (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = p.conkey[1]) = 'realm'
   AND (SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = p.conkey[2]) = 'run_id'
   AND c.relname NOT IN ('staged', 'stage', 'former', 'call')
 GROUP BY c.relname
 ORDER BY c.relname;

-- forget --
-- What an earlier try of the same run has told.
DELETE FROM sync.{table} WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- basket --
CREATE TEMP TABLE {basket} (LIKE sync.{table}) ON COMMIT DROP;

-- carry_out --
COPY (SELECT {columns} FROM sync.{table} WHERE realm = {realm} AND run_id = {run_id}) TO STDOUT (FORMAT binary);

-- carry_in --
COPY {basket} ({columns}) FROM STDIN (FORMAT binary);

-- keep --
INSERT INTO sync.{table} ({columns}) SELECT {columns} FROM {basket};

-- warnings --
SELECT warnings FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s;
