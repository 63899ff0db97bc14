-- tell --
UPDATE incoming
   SET details = CASE WHEN jsonb_typeof(details) = 'array' THEN details || notes
                      ELSE coalesce(details, '{}') || jsonb_build_object('notes', notes) END
 WHERE notes IS NOT NULL;
