-- How often in a row QuickBooks has not let a new login in.

ALTER TABLE sync.token ADD COLUMN refusals int NOT NULL DEFAULT 0;
COMMENT ON COLUMN sync.token.refusals IS 'Tasks in a row whose every access token QuickBooks refused, though Intuit had just given it. At 3 the state becomes reconnect_needed.';
COMMENT ON COLUMN sync.token.state IS 'reconnect_needed: Intuit has ended the login, or QuickBooks keeps refusing it. disconnected: a person here has ended it.';
