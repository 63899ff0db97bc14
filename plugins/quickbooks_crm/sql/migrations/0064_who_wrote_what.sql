-- What a link knows of a field is what both sides held last. Whether the sync had put it there, or only found it there, decides
-- whether a blank clears it; and what QuickBooks said of it may be something else than what the table has made of that. Of links
-- from before neither is known: every value counts as the sync's, and as what QuickBooks said.
ALTER TABLE sync.link
    ADD COLUMN agreed text[],
    ADD COLUMN said   jsonb;
COMMENT ON COLUMN sync.link.agreed IS 'The columns of which the CRM held what QuickBooks said before the sync wrote it: a blank does not clear them. NULL for none.';
COMMENT ON COLUMN sync.link.said IS 'What QuickBooks said of columns with edits: crm where the table has made something else of it. NULL for none.';
COMMENT ON COLUMN sync.link.written IS 'The mapped columns as the table stored them after the last write (after its triggers), or held them already.';
