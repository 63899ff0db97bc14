-- What a load decides beside its rows: keywords that join lists, fields that both sides edit, records that stand for others.

ALTER TABLE sync.run ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN sync.run.settings IS 'What the company''s file said when the run began, as far as its loads depend on it.';

-- ── keywords ────────────────────────────────────────────────────────────────────────────────

CREATE TABLE sync.added_keyword (
    realm     text NOT NULL,
    run_id    text NOT NULL,
    module    text NOT NULL,
    field     text NOT NULL,
    value     text NOT NULL,
    list_key  text NOT NULL,
    list      text NOT NULL,
    value_key text NOT NULL,
    PRIMARY KEY (realm, run_id, module, field, value),
    FOREIGN KEY (realm, run_id) REFERENCES sync.run
);
COMMENT ON TABLE sync.added_keyword IS 'Keywords that a run added to a list of the CRM, because QuickBooks used them.';
COMMENT ON COLUMN sync.added_keyword.list IS 'The table that holds the list''s values, with its schema.';
COMMENT ON COLUMN sync.added_keyword.list_key IS 'Which list of that table.';
COMMENT ON COLUMN sync.added_keyword.value_key IS 'The primary key of the value in that table.';

-- ── fields that people edit in the CRM ──────────────────────────────────────────────────────

CREATE TABLE sync.conflict (
    realm      text  NOT NULL,
    module     text  NOT NULL,
    entity     text  NOT NULL,
    id         text  NOT NULL,
    field      text  NOT NULL,
    record_key text  NOT NULL,
    crm        jsonb NOT NULL,
    quickbooks jsonb NOT NULL,
    run_id     text  NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, module, entity, id, field)
);
CREATE INDEX conflict_run ON sync.conflict (run_id, realm, module);
COMMENT ON TABLE sync.conflict IS 'Fields with edits: crm that a person has changed in the CRM and QuickBooks has changed later; gone when both agree.';
COMMENT ON COLUMN sync.conflict.crm IS 'What the CRM holds, and keeps.';
COMMENT ON COLUMN sync.conflict.quickbooks IS 'What QuickBooks says, as the column would hold it.';
COMMENT ON COLUMN sync.conflict.run_id IS 'The run that found it.';

-- ── records that stand for others ───────────────────────────────────────────────────────────

CREATE TABLE sync.merge (
    realm    text NOT NULL,
    entity   text NOT NULL,
    loser    text NOT NULL,
    survivor text NOT NULL,
    told_by  text NOT NULL,
    told_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, entity, loser),
    CHECK (loser <> survivor)
);
CREATE INDEX merge_survivor ON sync.merge (survivor, entity, realm);
COMMENT ON TABLE sync.merge IS 'Records that were merged away in QuickBooks, and into which; never forgotten, since QuickBooks tells it only once.';
COMMENT ON COLUMN sync.merge.told_by IS 'webhook, or the person who told it.';

CREATE TABLE sync.stand_in (
    realm      text NOT NULL,
    module     text NOT NULL,
    entity     text NOT NULL,
    id         text NOT NULL,
    via        text NOT NULL,
    stands_for text,
    PRIMARY KEY (realm, module, entity, id)
);
CREATE INDEX stand_in_via ON sync.stand_in (via, entity, module, realm);
COMMENT ON TABLE sync.stand_in IS 'References to these records mean others: the survivor of a merge, or the topmost parent of a sub-customer that is rolled up.';
COMMENT ON COLUMN sync.stand_in.via IS 'The next one on the way: its survivor or its parent.';
COMMENT ON COLUMN sync.stand_in.stands_for IS 'The last one on the way; NULL when the way is a circle.';

ALTER TABLE sync.link DROP CONSTRAINT link_state_check,
      ADD CONSTRAINT link_state_check CHECK (state IN ('active', 'inactive', 'merged', 'deleted'));
ALTER TABLE sync.outcome DROP CONSTRAINT outcome_flag_check,
      ADD CONSTRAINT outcome_flag_check CHECK (flag IN ('deactivated', 'reactivated', 'merged', 'deleted'));
