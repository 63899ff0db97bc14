-- Runs that rehearse, repeat or retry; why a record is held back, so that it is tried again when that changes.

ALTER TABLE sync.run DROP CONSTRAINT IF EXISTS run_kind_check;
COMMENT ON COLUMN sync.run.kind IS 'What the run is for: sync, preview (a sync of which nothing stays), replay (all records again), retry (those held back), reconcile and so on.';

-- ── records that are held back ──────────────────────────────────────────────────────────────

ALTER TABLE sync.held
    ADD COLUMN candidates text[] NOT NULL DEFAULT '{}',
    ADD COLUMN cause      text,
    ADD COLUMN due        boolean NOT NULL DEFAULT false,
    ADD COLUMN held_since timestamptz NOT NULL DEFAULT now();
CREATE INDEX held_due ON sync.held (module, realm) WHERE due;
COMMENT ON COLUMN sync.held.candidates IS 'The CRM records that are in its way.';
COMMENT ON COLUMN sync.held.cause IS 'A hash of what is in its way: the compared columns of those CRM records, the table''s rules. NULL: only the record or its mapping can change that.';
COMMENT ON COLUMN sync.held.due IS 'The cause has changed, so the next load tries it again.';
COMMENT ON COLUMN sync.held.held_since IS 'When it was last tried.';

-- What was held back before causes were kept is tried once more.
UPDATE sync.held SET due = true WHERE outcome <> 'excluded';

-- ── replay ──────────────────────────────────────────────────────────────────────────────────

CREATE TABLE sync.replay (
    realm        text NOT NULL,
    module       text NOT NULL,
    mapping_hash text NOT NULL,
    run_id       text NOT NULL,
    due_since    timestamptz NOT NULL DEFAULT now(),
    after_entity text,
    after_id     text,
    PRIMARY KEY (realm, module)
);
COMMENT ON TABLE sync.replay IS 'Modules with records that were loaded with another mapping than the one in force; gone when a replay has brought all to it.';
COMMENT ON COLUMN sync.replay.mapping_hash IS 'The mapping that a replay brings them to.';
COMMENT ON COLUMN sync.replay.run_id IS 'The run that found the mapping changed, or that replays it.';
COMMENT ON COLUMN sync.replay.after_id IS 'With after_entity, the last record that a replay has brought; NULL: none yet.';
