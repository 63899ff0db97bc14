-- Mappings of a company's own that people made outside the files, and which of them is in force.

CREATE TABLE sync.mapping_version (
    company  text        NOT NULL,
    module   text        NOT NULL,
    version  integer     NOT NULL CHECK (version > 0),
    content  text        NOT NULL,
    hash     text        NOT NULL,
    made_by  text        NOT NULL,
    made_at  timestamptz NOT NULL DEFAULT now(),
    origin   text        NOT NULL CHECK (origin <> ''),
    note     text        NOT NULL DEFAULT '',
    PRIMARY KEY (company, module, version)
);
COMMENT ON TABLE sync.mapping_version IS 'Mappings that people have stored, each company''s and module''s counted from 1. None is ever changed or deleted.';
COMMENT ON COLUMN sync.mapping_version.content IS 'The YAML, as a file has it.';
COMMENT ON COLUMN sync.mapping_version.hash IS 'SHA-256 of content, as of sync.mapping_snapshot.';
COMMENT ON COLUMN sync.mapping_version.origin IS 'How it came here: upload, page, restore.';

CREATE TABLE sync.mapping_choice (
    company   text        NOT NULL,
    module    text        NOT NULL,
    choice    integer     NOT NULL CHECK (choice > 0),
    version   integer,
    file_hash text,
    chosen_by text        NOT NULL,
    chosen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, module, choice),
    FOREIGN KEY (company, module, version) REFERENCES sync.mapping_version
);
COMMENT ON TABLE sync.mapping_choice IS 'What people have put in force, each company''s and module''s counted from 1: the last one counts. None: the file.';
COMMENT ON COLUMN sync.mapping_choice.version IS 'NULL: the file again.';
COMMENT ON COLUMN sync.mapping_choice.file_hash IS 'SHA-256 of the file that the version came in the place of, as it was then; NULL when there was none.';

CREATE FUNCTION sync.stays_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is history: its rows are neither changed nor deleted', TG_TABLE_NAME;
END $$;
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON sync.mapping_version
    FOR EACH ROW EXECUTE FUNCTION sync.stays_as_it_is();
CREATE TRIGGER stays BEFORE UPDATE OR DELETE ON sync.mapping_choice
    FOR EACH ROW EXECUTE FUNCTION sync.stays_as_it_is();

ALTER TABLE sync.run
    ADD COLUMN mapping_names jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN drafts        jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN sync.run.mapping_names IS 'Module -> what its mapping is called, where it is not that of the module''s usual file.';
COMMENT ON COLUMN sync.run.drafts IS 'Of a preview. Module -> {version, choice}: the version that was previewed, and the last choice (0: none) that was made before. A run that follows it puts these versions in force.';
