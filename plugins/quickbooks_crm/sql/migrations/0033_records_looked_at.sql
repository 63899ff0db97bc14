-- What people look at: records by their state, what is left to review, and what happened to a record.

CREATE INDEX link_not_active ON sync.link (module, realm, state, record_key) WHERE state <> 'active';
CREATE INDEX held_to_review ON sync.held (module, realm, entity, id)
    WHERE NOT due AND (outcome = 'duplicate' OR reason IN ('ambiguous_key', 'unlinked', 'undone'));
CREATE INDEX resolved_record ON sync.resolved_reference (id, entity, module, realm);
CREATE INDEX act_record ON sync.act ((details ->> 'record_key'), company) WHERE details ? 'record_key';
