-- A run decides once which records it reads again, since what they wait for has come: before its modules are shaped, so that
-- loads that go on meanwhile change nothing of it.

CREATE TABLE sync.arrived (
    realm  text NOT NULL,
    run_id text NOT NULL,
    module text NOT NULL,
    entity text NOT NULL,
    id     text NOT NULL,
    PRIMARY KEY (realm, module, run_id, entity, id)
);
COMMENT ON TABLE sync.arrived IS 'Records that wait for others which are in the CRM, or come with them, as the run found when it decided what to load; until their module is loaded.';

ALTER TABLE sync.parked ADD COLUMN tried boolean;
COMMENT ON COLUMN sync.parked.tried IS 'Whether a load could not close the reference though its record was there: the next ones try when they have work.';
