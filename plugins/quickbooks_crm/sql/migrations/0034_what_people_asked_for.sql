-- What a run was asked for by a person, and the records that are not in the CRM by their reasons.

ALTER TABLE sync.run
    ADD COLUMN rehearses  text,
    ADD COLUMN would_undo text,
    ADD COLUMN reasons    text[] NOT NULL DEFAULT '{}',
    ADD COLUMN previewed  text;
CREATE INDEX run_previewed ON sync.run (previewed, realm) WHERE previewed IS NOT NULL;
COMMENT ON COLUMN sync.run.rehearses IS 'Of a preview: the kind of run that it shows; NULL is a sync.';
COMMENT ON COLUMN sync.run.would_undo IS 'Of the preview of an undo: the run that would be undone.';
COMMENT ON COLUMN sync.run.reasons IS 'Of a retry and its preview: only what is held back for one of these; none is all.';
COMMENT ON COLUMN sync.run.previewed IS 'The preview that a person has said Yes to.';

CREATE INDEX outcome_reason ON sync.outcome (run_id, module, outcome, reason, realm, id, entity) WHERE reason IS NOT NULL;
