-- What tables were like when rows were checked for them, and when links were made to their records.

ALTER TABLE sync.stage ADD COLUMN form text NOT NULL DEFAULT '';
COMMENT ON COLUMN sync.stage.form IS 'The form of the table that the rows were checked for; of another one they are staged again.';

ALTER TABLE sync.module_position ADD COLUMN target_key jsonb;
COMMENT ON COLUMN sync.module_position.target_key IS
    'The primary key of the CRM table that the module''s links hold values of: its number in the table, name and kind. NULL until the next load.';
