-- Full reads: what of one is done, and which records need no second look.

ALTER TABLE quickbooks.record ADD COLUMN digest bigint;
COMMENT ON COLUMN quickbooks.record.digest IS 'Hash of the payload as QuickBooks sent it, byte for byte; equal means unchanged, NULL means: compare.';

CREATE FUNCTION sync.moment(value text) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN value ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:?[0-9]{2})$' THEN value::timestamptz END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION sync.moment IS 'The moment in a time of QuickBooks; NULL when it is none, or has no offset.';

CREATE TABLE sync.page_read (
    realm    text        NOT NULL,
    entity   text        NOT NULL,
    start    bigint      NOT NULL,
    "end"    bigint      NOT NULL,
    head     text[]      NOT NULL,
    tail     text[]      NOT NULL,
    ids      bytea       NOT NULL,
    time     timestamptz NOT NULL,
    read_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, entity, start)
);
COMMENT ON TABLE sync.page_read IS 'Pages of a full read that has not ended: the next try does not read them again. Kept for a day.';
COMMENT ON COLUMN sync.page_read.start IS 'Position of the page''s first record in the order of ids, from 1.';
COMMENT ON COLUMN sync.page_read.head IS 'The first ids of the page; with tail they prove that two pages meet.';
COMMENT ON COLUMN sync.page_read.ids IS 'Eight bytes for each id: what no page brought was deleted.';
COMMENT ON COLUMN sync.page_read.time IS 'QuickBooks'' own clock when the page was read.';
