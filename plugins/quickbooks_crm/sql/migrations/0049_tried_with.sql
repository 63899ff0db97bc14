-- A reference that could not be closed is tried again once another record is there to close it with.

ALTER TABLE sync.parked ALTER COLUMN tried TYPE text USING NULL;
COMMENT ON COLUMN sync.parked.tried IS 'The primary key of the CRM record with which a load could not close the reference: with this one the next loads try only when they have work.';
