-- A record may come to be another CRM record than it was, or than the one it was a duplicate of: what refers to it must follow.

CREATE TABLE sync.moved (
    realm  text NOT NULL,
    module text NOT NULL,
    entity text NOT NULL,
    id     text NOT NULL,
    PRIMARY KEY (realm, module, entity, id)
);
COMMENT ON TABLE sync.moved IS 'Records that are not the CRM record any more that references to them led to: what refers to them is read again by the next sync for which they are another one.';
