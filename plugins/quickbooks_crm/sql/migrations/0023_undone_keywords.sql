-- Keywords that an undo has taken off their lists, so that it can be undone.

ALTER TABLE sync.former
    DROP CONSTRAINT former_kind_check,
    ADD CONSTRAINT former_kind_check CHECK (kind IN ('link', 'parked', 'held', 'keyword'));
COMMENT ON TABLE sync.former IS 'Rows of sync.link, sync.parked and sync.held as they were before a run changed them, and keywords that an undo took off their lists.';
COMMENT ON COLUMN sync.former.entity IS 'Of a keyword, the table that holds the list''s values; id is its key there.';
