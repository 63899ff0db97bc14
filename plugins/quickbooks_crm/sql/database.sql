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
