-- own_settings --
-- What the server sets for this login, or for all of them, would end long work half way, on every try again. Tasks, pages
-- and writing transactions have limits of their own. And the same text for the same value, whatever else is set; numbers with
-- all their digits. Where money is written with a comma, as in German, Postgres takes the point of 1234.5 for nothing, and reads
-- ten times as much; where it has other decimal places than two, it means another amount under another setting.
SELECT set_config(name, '0', false)
  FROM pg_settings
 WHERE name IN ('statement_timeout', 'transaction_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
                'idle_session_timeout')
   AND setting <> '0'
UNION ALL
SELECT set_config(name, value, false)
  FROM (VALUES ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('bytea_output', 'hex'),
               ('extra_float_digits', '1')) AS own (name, value)
UNION ALL
SELECT set_config('lc_monetary', 'C', false) WHERE scale(0::money::numeric) = 2;

-- own_names_first --
-- Temporary tables are found before the CRM's of the same name, unless a search path names their schema later.
SELECT set_config('search_path', coalesce(string_agg(quote_ident(schema), ', ' ORDER BY place), ''), false)
  FROM unnest(current_schemas(false)) WITH ORDINALITY AS found (schema, place)
 WHERE schema !~ '^pg_temp'
HAVING current_setting('search_path') ~ 'pg_temp';

-- patience --
SELECT set_config('lock_timeout', %(milliseconds)s::text, false);

-- holders --
-- Who holds which tables so that nobody else may even look at them.
SELECT string_agg(concat(known.relnamespace::regnamespace, '.', quote_ident(known.relname), ' (process ', held.pid,
                         ' of Postgres, ', who.usename, ')'), ', ' ORDER BY known.relname, held.pid)
  FROM pg_locks AS held JOIN pg_stat_activity AS who USING (pid)
  JOIN pg_class AS known ON known.oid = held.relation AND known.relkind IN ('r', 'p', 'v', 'm', 'f')
 WHERE held.mode = 'AccessExclusiveLock' AND held.granted
   AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- now --
SELECT now();

-- read_only --
-- Whether this login may only read, and whether the server is a copy that nobody may write to.
SELECT current_setting('transaction_read_only') = 'on', pg_is_in_recovery();

-- one_migration_at_a_time --
SELECT pg_advisory_xact_lock(hashtextextended('quickbooks_crm.migrate', 0));

-- has_migration_table --
SELECT to_regclass('sync.migration')::text;

-- migration_table --
-- Which migrations this database has, and what they said.
DO $$
BEGIN
    IF to_regclass('sync.migration') IS NULL THEN
        CREATE SCHEMA IF NOT EXISTS sync;
        CREATE TABLE sync.migration (
            name       text PRIMARY KEY,
            hash       text        NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        );
    END IF;
END $$;

-- migrations --
SELECT name, hash FROM sync.migration;

-- applied --
INSERT INTO sync.migration (name, hash) VALUES (%(name)s, %(hash)s);
