-- What people have settled: which QuickBooks record is no CRM record's any more, and what is not the same thing.

CREATE TABLE sync.unlinked (
    realm      text NOT NULL,
    module     text NOT NULL,
    entity     text NOT NULL,
    id         text NOT NULL,
    record_key text NOT NULL,
    by_whom    text NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, module, entity, id)
);
COMMENT ON TABLE sync.unlinked IS 'QuickBooks records that a person has parted from the CRM; no load looks for a CRM record of theirs, until a person links them or asks for a retry.';
COMMENT ON COLUMN sync.unlinked.record_key IS 'The CRM record that it was parted from.';

CREATE TABLE sync.different (
    realm      text NOT NULL,
    module     text NOT NULL,
    entity     text NOT NULL,
    id         text NOT NULL,
    record_key text NOT NULL,
    other_key  text NOT NULL,
    by_whom    text NOT NULL,
    since      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, module, entity, id, record_key, other_key),
    CHECK ((entity = '') = (id = '') AND (entity = '') = (other_key <> '')),
    CHECK (other_key = '' OR record_key < other_key)
);
CREATE INDEX different_records ON sync.different (record_key, other_key, module, realm);
COMMENT ON TABLE sync.different IS 'What looks alike and, a person says, is not the same: a QuickBooks record and a CRM record, or two CRM records.';
COMMENT ON COLUMN sync.different.entity IS 'With id, the QuickBooks record; empty when these are two CRM records.';
COMMENT ON COLUMN sync.different.other_key IS 'The second of two CRM records, the greater as text; else empty.';

ALTER TABLE sync.act DROP CONSTRAINT IF EXISTS act_kind_check;
COMMENT ON COLUMN sync.act.kind IS 'What was done: a field added, a person erased, a record linked and so on.';

CREATE FUNCTION sync.skeleton(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN nullif(regexp_replace(translate(
        CASE WHEN octet_length(value) = length(value) THEN lower(value COLLATE "C")
             ELSE regexp_replace(normalize(sync.normal(value), NFKD), U&'[\0300-\036F]', '', 'g') END,
        'авекмнорстухіјѕһԁԛԝӏѵαβεζηικμνορτυχıłøđ',
        'abekmhopctyxijshdqwlvabezhikmnoptyxilod'),
        U&'[\0001-/:-@\005B-`{-~]+', '', 'g'), '');
COMMENT ON FUNCTION sync.skeleton IS
    'What is left of a text to the eye: no accents, spaces or punctuation, and letters of other alphabets as the Latin ones that look like them. Texts that are equal here may be the same thing; only a person can tell.';
