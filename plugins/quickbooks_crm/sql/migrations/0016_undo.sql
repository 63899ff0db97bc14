-- What an undo needs: how links and open references were before a run, and how an undo is accounted for.

ALTER TABLE sync.run DROP CONSTRAINT IF EXISTS run_kind_check, ADD COLUMN undoes text;
COMMENT ON COLUMN sync.run.kind IS 'What the run was for: a sync, a reconcile, an undo and so on.';
COMMENT ON COLUMN sync.run.undoes IS 'The run that an undo undoes.';
CREATE INDEX run_undoes ON sync.run (undoes, realm) WHERE undoes IS NOT NULL;

ALTER TABLE sync.link ADD COLUMN linked_in text;
ALTER TABLE sync.link ALTER COLUMN linked_in SET DEFAULT nullif(current_setting('sync.run_id', true), '');
COMMENT ON COLUMN sync.link.linked_in IS 'The run that made the link; run_id is the one that wrote it last.';

CREATE TABLE sync.former (
    realm  text NOT NULL,
    run_id text NOT NULL,
    module text NOT NULL,
    kind   text NOT NULL CHECK (kind IN ('link', 'parked', 'held')),
    entity text NOT NULL,
    id     text NOT NULL,
    field  text NOT NULL,
    was    jsonb,
    became jsonb,
    PRIMARY KEY (realm, run_id, module, kind, entity, id, field)
);
CREATE INDEX former_record ON sync.former (id, entity, module, realm);
COMMENT ON TABLE sync.former IS 'Rows of sync.link, sync.parked and sync.held as they were before a run changed them.';
COMMENT ON COLUMN sync.former.field IS 'Of an open reference; else empty.';
COMMENT ON COLUMN sync.former.was IS 'NULL when there was none.';
COMMENT ON COLUMN sync.former.became IS 'The link that an undo left; NULL for none. A sync''s link names its run.';

-- A link that the run itself has made, or a reference that it has parked, was not there before.
CREATE FUNCTION sync.keep_former() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    run text := nullif(current_setting('sync.run_id', true), '');
BEGIN
    IF run IS NOT NULL THEN
        INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
        SELECT realm, run, module, TG_TABLE_NAME, entity, id, coalesce(was ->> 'field', ''), was
          FROM (SELECT realm, module, entity, id, to_jsonb(former.*) AS was FROM former) AS changed
         WHERE was ->> CASE TG_TABLE_NAME WHEN 'link' THEN 'linked_in' ELSE 'run_id' END IS DISTINCT FROM run
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_former AFTER UPDATE ON sync.link
    REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION sync.keep_former();
CREATE TRIGGER keep_former_deleted AFTER DELETE ON sync.link
    REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION sync.keep_former();
CREATE TRIGGER keep_former_deleted AFTER DELETE ON sync.parked
    REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION sync.keep_former();
COMMENT ON FUNCTION sync.keep_former IS 'Keeps what a run changes, where sync.run_id says which run it is.';

-- Runs from before this migration have not kept what an undo needs.
ALTER TABLE sync.activity
    ADD COLUMN removed  bigint  NOT NULL DEFAULT 0,
    ADD COLUMN kept     bigint  NOT NULL DEFAULT 0,
    ADD COLUMN undoable boolean NOT NULL DEFAULT false;
ALTER TABLE sync.activity ALTER COLUMN undoable SET DEFAULT true;
ALTER TABLE sync.activity
    DROP CONSTRAINT every_row_is_accounted_for,
    ADD CONSTRAINT every_row_is_accounted_for
        CHECK (read = added + updated + unchanged + duplicate + not_added + excluded + removed + kept);
COMMENT ON COLUMN sync.activity.removed IS 'Of an undo: records that the run had added.';
COMMENT ON COLUMN sync.activity.kept IS 'Of an undo: records that were not undone, since they have changed or are needed.';
COMMENT ON COLUMN sync.activity.undoable IS 'Whether what an undo needs was kept.';

DO $$
DECLARE
    rule text;
BEGIN
    FOR rule IN SELECT conname FROM pg_constraint
                 WHERE conrelid = 'sync.outcome'::regclass AND contype = 'c'
                   AND pg_get_constraintdef(oid) LIKE '%outcome%' AND conname <> 'outcome_flag_check' LOOP
        EXECUTE format('ALTER TABLE sync.outcome DROP CONSTRAINT %I', rule);
    END LOOP;
END $$;
ALTER TABLE sync.outcome
    ADD CONSTRAINT outcome_outcome_check CHECK (outcome IN
        ('added', 'updated', 'unchanged', 'duplicate', 'not_added', 'excluded', 'removed', 'kept')),
    ADD CONSTRAINT outcome_reason_check
        CHECK (outcome IN ('added', 'updated', 'unchanged', 'removed') OR (reason IS NOT NULL AND message IS NOT NULL)),
    ADD CONSTRAINT outcome_image_check
        CHECK (outcome NOT IN ('added', 'updated') OR (record_key IS NOT NULL AND after IS NOT NULL));

-- What a reference held before it was closed.
ALTER TABLE sync.resolved_reference ADD COLUMN was jsonb;

CREATE FUNCTION sync.stands(of_realm text, of_run text, of_module text, of_entity text, of_id text) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
           SELECT FROM sync.run AS undo
            CROSS JOIN LATERAL (
                  SELECT outcome FROM sync.outcome
                   WHERE (realm, run_id, module, entity, id) = (undo.realm, undo.run_id, of_module, of_entity, of_id) LIMIT 1) AS own
            WHERE undo.undoes = of_run AND undo.realm = of_realm AND own.outcome <> 'kept'
              AND sync.stands(undo.realm, undo.run_id, of_module, of_entity, of_id))
$$;
COMMENT ON FUNCTION sync.stands IS 'Whether what a run did to a record has not been undone, or the undo has been undone again.';
