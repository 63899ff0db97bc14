-- A retry of what a person had unlinked can be undone: what it let look for its CRM record again is kept.

ALTER TABLE sync.former
    DROP CONSTRAINT former_kind_check,
    ADD CONSTRAINT former_kind_check CHECK (kind IN ('link', 'parked', 'held', 'keyword', 'conflict', 'line', 'unlinked'));
COMMENT ON TABLE sync.former IS 'What an undo needs beside the images of records: rows of sync.link, sync.parked, sync.held, sync.conflict and sync.unlinked as they were before a run changed them, lines that it removed from documents, and keywords that an undo took off their lists.';
COMMENT ON COLUMN sync.former.became IS 'The link, open reference or unlinked record that an undo left; NULL for none. A sync''s link names its run.';
