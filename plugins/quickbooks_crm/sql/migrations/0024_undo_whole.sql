-- What else an undo takes back: conflicts, owners that came with a reference, and lines that were removed.

ALTER TABLE sync.former
    DROP CONSTRAINT former_kind_check,
    ADD CONSTRAINT former_kind_check CHECK (kind IN ('link', 'parked', 'held', 'keyword', 'conflict', 'line'));
COMMENT ON TABLE sync.former IS 'What an undo needs beside the images of records: rows of sync.link, sync.parked, sync.held and sync.conflict as they were before a run changed them, lines that it removed from documents, and keywords that an undo took off their lists.';
COMMENT ON COLUMN sync.former.field IS 'Of an open reference or a conflict; of a line, its primary key; else empty.';
COMMENT ON COLUMN sync.former.became IS 'The link or open reference that an undo left; NULL for none. A sync''s link names its run.';
CREATE INDEX former_parked_by ON sync.former ((was ->> 'run_id'), module, realm) WHERE kind = 'parked';

CREATE TRIGGER keep_former AFTER UPDATE ON sync.conflict
    REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION sync.keep_former();
CREATE TRIGGER keep_former_deleted AFTER DELETE ON sync.conflict
    REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION sync.keep_former();

ALTER TABLE sync.resolved_reference ADD COLUMN with_it jsonb;
COMMENT ON COLUMN sync.resolved_reference.with_it IS 'Other columns that changed with it, such as an owner: what each held before, and then.';
