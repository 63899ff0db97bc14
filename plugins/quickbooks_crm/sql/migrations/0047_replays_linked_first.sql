-- A replay takes first what is linked, as one load of all does. One that an earlier version has begun begins anew.

ALTER TABLE sync.replay ADD COLUMN after_linked boolean;
COMMENT ON COLUMN sync.replay.after_linked IS 'Whether the last record that a replay has brought was linked, when it put all in order: these come before all others.';
COMMENT ON COLUMN sync.replay.after_id IS 'With after_linked and after_entity, the last record that a replay has brought; NULL: none yet.';

UPDATE sync.replay SET after_entity = NULL, after_id = NULL;
