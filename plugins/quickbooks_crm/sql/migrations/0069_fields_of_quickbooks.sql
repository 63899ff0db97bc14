-- QuickBooks may begin to send a field, or cease to: both are told, once a field. And what it ceases to send is not cleared from the
-- CRM in many records at once before a person has said so.

ALTER TABLE sync.breaker DROP CONSTRAINT breaker_code_check;
ALTER TABLE sync.breaker ADD CONSTRAINT breaker_code_check
    CHECK (code IN ('wrong_company', 'empty_source', 'mass_delete', 'mass_change', 'mass_clear', 'too_many_rejects'));

CREATE TABLE sync.field (
    realm    text        NOT NULL,
    entity   text        NOT NULL,
    field    text        NOT NULL,
    had      bigint      NOT NULL,
    lacked   bigint      NOT NULL DEFAULT 0,
    lacking  bigint      NOT NULL DEFAULT 0,
    found_at timestamptz NOT NULL DEFAULT now(),
    gone_at  timestamptz,
    PRIMARY KEY (realm, entity, field)
);
COMMENT ON TABLE sync.field IS 'The fields of QuickBooks'' own records, as they came. What came again as the mirror has it is not counted.';
COMMENT ON COLUMN sync.field.had IS 'How many records had it.';
COMMENT ON COLUMN sync.field.lacked IS 'How many came without it, before the last that had it.';
COMMENT ON COLUMN sync.field.lacking IS 'How many came without it since.';
COMMENT ON COLUMN sync.field.gone_at IS 'When it was told that QuickBooks sends it no more.';
