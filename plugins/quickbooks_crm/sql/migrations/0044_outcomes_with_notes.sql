-- The records of a run that have something to be told all the same, though there may be few among very many.

CREATE INDEX outcome_noted ON sync.outcome (run_id, module, outcome, realm, id, entity, reason) WHERE details ? 'notes';
