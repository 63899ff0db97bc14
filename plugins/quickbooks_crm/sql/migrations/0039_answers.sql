-- What a person has answered to a preview.

ALTER TABLE sync.run
    ADD COLUMN answer      text CHECK (answer IN ('Yes', 'No')),
    ADD COLUMN answered_by text,
    ADD COLUMN answered_at timestamptz;
COMMENT ON COLUMN sync.run.answer IS 'Of a preview: what was answered to its question; NULL until then. The first answer stays.';
COMMENT ON COLUMN sync.run.answered_by IS 'Who answered; NULL: nobody did in time, which means No.';
