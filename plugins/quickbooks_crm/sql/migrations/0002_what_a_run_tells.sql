-- What a run tells of itself besides its counts.

ALTER TABLE sync.run
    ADD COLUMN kind     text  NOT NULL DEFAULT 'sync' CHECK (kind IN ('sync', 'reconcile')),
    ADD COLUMN warnings jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN blocked  jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN sync.run.kind IS 'A sync brings the CRM up to date; a reconcile compares QuickBooks, mirror and CRM.';
COMMENT ON COLUMN sync.run.warnings IS 'What a person should know though nothing stopped: key -> sentence.';
COMMENT ON COLUMN sync.run.blocked IS 'Modules that could not be loaded in this run: module -> sentence that says why.';
