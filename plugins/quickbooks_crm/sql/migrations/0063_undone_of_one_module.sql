-- A record may be read again for one module, such as an account whose parent has become another, and so comes under a new
-- generation. Of another module in which somebody has undone it, QuickBooks says nothing new by that.
ALTER TABLE sync.held ADD COLUMN passed_over bigint;
COMMENT ON COLUMN sync.held.passed_over IS 'Of what is undone: the generation in which the record came again though it has not changed in QuickBooks.';
