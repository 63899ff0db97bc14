-- A run decides once which records it reads again, since what they wait for has come: before its modules are shaped, so that
-- loads that go on meanwhile change nothing of it.

CREATE TABLE sync.arrived (
    realm  text NOT NULL,
    module text NOT NULL,
    entity text NOT NULL,
    id     text NOT NULL,
    PRIMARY KEY (realm, module, entity, id)
);
COMMENT ON TABLE sync.arrived IS 'Records that wait for others which were in the CRM when the newest run decided what to load; until they are loaded.';
