-- Of a record that a run added, an undo has to tell what people have filled in from what the table has put there itself: a trigger,
-- or a default that is another one each time.
ALTER TABLE sync.outcome ADD COLUMN left_alone jsonb;
COMMENT ON COLUMN sync.outcome.left_alone IS 'What a record held right after it was added, in columns that its mapping leaves alone and of which no default tells it; of each line that was added the same, as @lines.1 and so on. NULL where nothing was added, and of runs from before there was this column.';
