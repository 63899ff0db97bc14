-- Control totals say how many records stand behind what is held back or waits, beside how much.

ALTER TABLE sync.control_total ADD COLUMN held_records bigint NOT NULL DEFAULT 0,
                               ADD COLUMN waiting_records bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN sync.control_total.held_records IS 'How many records with this amount are held back.';
COMMENT ON COLUMN sync.control_total.waiting_records IS 'How many records with this amount the next sync loads; not counted between QuickBooks and the mirror.';
