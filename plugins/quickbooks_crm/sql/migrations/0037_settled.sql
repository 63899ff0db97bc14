-- What people settle about records that look the same, and what is left of it.

CREATE TABLE sync.same (
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
COMMENT ON TABLE sync.same IS 'What is twice in QuickBooks or in the CRM, a person says: no sync merges it, and nobody is asked about it again.';
COMMENT ON COLUMN sync.same.entity IS 'With id, a QuickBooks record that is the same thing as a CRM record which another one is; empty when these are two CRM records.';
COMMENT ON COLUMN sync.same.other_key IS 'The second of two CRM records, the greater as text; else empty.';

CREATE TABLE sync.alike (
    realm      text   NOT NULL,
    module     text   NOT NULL,
    place      bigint NOT NULL,
    by         text[] NOT NULL,
    keys       text[] NOT NULL,
    size       bigint NOT NULL,
    settled_at timestamptz,
    PRIMARY KEY (realm, module, place)
);
CREATE INDEX alike_left ON sync.alike (module, realm, place) WHERE settled_at IS NULL;
COMMENT ON TABLE sync.alike IS 'CRM records that looked the same when somebody last looked, until somebody looks again.';
COMMENT ON COLUMN sync.alike.by IS 'The columns in which they look the same.';
COMMENT ON COLUMN sync.alike.keys IS 'The first 20 of them.';
COMMENT ON COLUMN sync.alike.settled_at IS 'When a person had said of all of them whether they are the same.';

CREATE TABLE sync.looked (
    realm     text        NOT NULL,
    module    text        NOT NULL,
    by_whom   text        NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, module)
);
COMMENT ON TABLE sync.looked IS 'Who last looked for CRM records that look the same, and when: this reads the whole table.';

-- What is left to review is also what a table refused since another record is in its way.
DROP INDEX sync.held_to_review;
CREATE INDEX held_to_review ON sync.held (module, realm, entity, id)
    WHERE NOT due AND (outcome = 'duplicate' OR reason IN ('ambiguous_key', 'unlinked', 'undone')
                       OR (reason = 'refused_by_table' AND candidates <> '{}'));
