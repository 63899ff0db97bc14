ALTER TABLE desk.article  ADD COLUMN quickbooks_id text UNIQUE;
ALTER TABLE desk."Client" ADD COLUMN quickbooks_id text UNIQUE;
ALTER TABLE desk.bill     ADD COLUMN quickbooks_id text UNIQUE;

CREATE INDEX ON desk.article  (sync.normal(quickbooks_id));
CREATE INDEX ON desk.article  (sync.normal(title));
CREATE INDEX ON desk."Client" (sync.normal(quickbooks_id));
CREATE INDEX ON desk."Client" (sync.normal("Name"));
CREATE INDEX ON desk.bill     (sync.normal(quickbooks_id));
