-- A run that a person has said Yes to may bring all records of a module to its mapping.

ALTER TABLE sync.run ADD COLUMN whole text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN sync.run.whole IS 'The modules of which all records are brought, not only those that changed, since their mapping has changed.';
