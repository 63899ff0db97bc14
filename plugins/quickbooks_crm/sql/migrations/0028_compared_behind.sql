-- What a reconcile says of records that are in the CRM, though not as they are in QuickBooks.

ALTER TABLE sync.compared ADD COLUMN behind bigint NOT NULL DEFAULT 0 CHECK (behind <= target);
COMMENT ON COLUMN sync.compared.behind IS 'How many of the target are held back: in the CRM, but not as they are in QuickBooks.';
