-- What a link knows of a field is what both sides held last. Whether the sync had put it there, or only found it there, decides
-- whether a blank clears it. Of links from before that is not known: every value counts as the sync's.
ALTER TABLE sync.link
    ADD COLUMN agreed text[];
COMMENT ON COLUMN sync.link.agreed IS 'The columns of which the CRM held what QuickBooks said before the sync wrote it: a blank does not clear them. NULL for none.';
COMMENT ON COLUMN sync.link.written IS 'The mapped columns as the table stored them after the last write (after its triggers), or held them already.';
