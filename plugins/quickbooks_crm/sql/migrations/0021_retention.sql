-- What of a run has been thrown away because it is old.

ALTER TABLE sync.run
    ADD COLUMN thinned_at timestamptz,
    ADD COLUMN emptied_at timestamptz;
COMMENT ON COLUMN sync.run.thinned_at IS 'When its unchanged records were forgotten; how many there were, sync.activity keeps.';
COMMENT ON COLUMN sync.run.emptied_at IS 'When it was forgotten how its records ended; how many ended how, sync.activity keeps.';
