-- What a reconcile found: how much was compared, what differs, and whether the amounts agree.

CREATE TABLE sync.compared (
    realm      text   NOT NULL,
    run_id     text   NOT NULL,
    side       text   NOT NULL CHECK (side IN ('quickbooks', 'crm')),
    subject    text   NOT NULL,
    method     text   NOT NULL CHECK (method IN ('counts', 'parts', 'records')),
    source     bigint NOT NULL,
    target     bigint NOT NULL,
    held       bigint NOT NULL DEFAULT 0,
    waiting    bigint NOT NULL DEFAULT 0,
    until      timestamptz,
    PRIMARY KEY (realm, run_id, side, subject),
    FOREIGN KEY (realm, run_id) REFERENCES sync.run
);
COMMENT ON TABLE sync.compared IS 'What a reconcile compared: QuickBooks with the mirror by entity, the mirror with the CRM by module.';
COMMENT ON COLUMN sync.compared.side IS 'quickbooks: QuickBooks is the source and the mirror the target; crm: the mirror is the source and the CRM the target.';
COMMENT ON COLUMN sync.compared.method IS 'counts: numbers of records only; parts: also the records where these differed; records: every record.';
COMMENT ON COLUMN sync.compared.held IS 'Of the source: held back as not added, duplicate or excluded, so rightly not in the target.';
COMMENT ON COLUMN sync.compared.waiting IS 'Of the source: not loaded yet; the next sync does.';
COMMENT ON COLUMN sync.compared.until IS 'QuickBooks'' clock: what changed there later was left to the next sync.';

CREATE TABLE sync.drift (
    realm    text    NOT NULL,
    run_id   text    NOT NULL,
    side     text    NOT NULL,
    subject  text    NOT NULL,
    entity   text    NOT NULL,
    id       text    NOT NULL,
    kind     text    NOT NULL CHECK (kind IN (
        'not_in_mirror', 'not_in_quickbooks', 'other_version', 'other_content',
        'nowhere', 'crm_record_gone', 'original_gone', 'other_state', 'changed_in_crm', 'mirror_record_gone')),
    details  jsonb   NOT NULL DEFAULT '{}',
    repaired boolean NOT NULL DEFAULT false,
    PRIMARY KEY (realm, run_id, side, subject, entity, id),
    FOREIGN KEY (realm, run_id) REFERENCES sync.run
);
COMMENT ON TABLE sync.drift IS 'Records that a reconcile found to differ. No customer data: ids, names of columns and version numbers.';
COMMENT ON COLUMN sync.drift.subject IS 'The entity when QuickBooks and the mirror were compared, the module when the mirror and the CRM were.';
COMMENT ON COLUMN sync.drift.repaired IS 'The mirror has it right, and the next sync brings it into the CRM.';

CREATE TABLE sync.control_total (
    realm    text    NOT NULL,
    run_id   text    NOT NULL,
    side     text    NOT NULL,
    subject  text    NOT NULL,
    field    text    NOT NULL,
    currency text    NOT NULL,
    source   numeric NOT NULL,
    held     numeric NOT NULL DEFAULT 0,
    waiting  numeric NOT NULL DEFAULT 0,
    target   numeric NOT NULL,
    PRIMARY KEY (realm, run_id, side, subject, field, currency),
    FOREIGN KEY (realm, run_id) REFERENCES sync.run
);
COMMENT ON TABLE sync.control_total IS 'Sums of amounts on both sides. They agree when source - held - waiting = target.';
COMMENT ON COLUMN sync.control_total.currency IS 'Empty where QuickBooks names none: then it is the company''s own.';

CREATE FUNCTION sync.amount(value text) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN value ~ '^[ ]*[-+]?[0-9]{1,40}(\.[0-9]{0,40})?[ ]*$' THEN value::numeric END;
COMMENT ON FUNCTION sync.amount IS 'A text as an amount; NULL when it is none, which stops no comparison of the others.';
