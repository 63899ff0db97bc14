-- begin --
ALTER TABLE incoming ADD COLUMN notes jsonb, ADD COLUMN base jsonb, ADD COLUMN conflicts jsonb;

-- tell --
UPDATE incoming
   SET details = CASE WHEN jsonb_typeof(details) = 'array' THEN details || notes
                      ELSE coalesce(details, '{}') || jsonb_build_object('notes', notes) END
 WHERE notes IS NOT NULL;
