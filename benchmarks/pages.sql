-- A company that has been brought in for long: {rows} rows in the mirror, of which four in ten are customers, one is an
-- item and five are invoices; in the CRM with their links, but for some customers that are held back; 1,000 runs, the first
-- of which added all of it.
-- Made as sets: it is what loads leave, not how they do it.

SET synchronous_commit = off;
SET maintenance_work_mem = '256MB';

CREATE TEMPORARY TABLE size AS
SELECT {rows} * 38 / 100 AS customers, {rows} * 2 / 100 AS held, {rows} / 10 AS items, {rows} * 5 / 10 AS invoices;

-- ── the mirror ──────────────────────────────────────────────────────────────────────────────

INSERT INTO sync.generation (realm, run_id, sealed_at) VALUES ({realm}, 'run-0001', now()), ({realm}, 'run-1000', now());

CREATE TEMPORARY TABLE named AS
SELECT n, (ARRAY['Acme', 'Birch', 'Cedar', 'Dunes', 'Elm', 'Ford', 'Grove', 'Hill', 'Isle', 'Jade'])[1 + n % 10]
          || ' ' || (ARRAY['Gardens', 'Repairs', 'Foods', 'Studio', 'Homes', 'Motors'])[1 + n % 6] || ' '
          || CASE WHEN n % 200 = 0 THEN n - 60 ELSE n END AS name
  FROM size, generate_series(1, customers + held) AS n;

INSERT INTO quickbooks.record (realm, entity, id, sync_token, updated_at, generation, payload)
SELECT {realm}, 'Customer', n::text, 0, now(), CASE WHEN n % 200 = 7 THEN 2 ELSE 1 END,
       jsonb_build_object('Id', n::text, 'DisplayName', name, 'CompanyName', name, 'GivenName', 'Kim', 'FamilyName', 'Reyes ' || n,
           'Active', n % 50 <> 3, 'Balance', n % 9000, 'PrimaryPhone', jsonb_build_object('FreeFormNumber', '(555) 555-0100'),
           'PrimaryEmailAddr', jsonb_build_object('Address', 'kim' || n || '@example.com'),
           'BillAddr', jsonb_build_object('Line1', n || ' Main St', 'City', 'Fairfield', 'CountrySubDivisionCode', 'CA'))
  FROM named;
INSERT INTO quickbooks.record (realm, entity, id, sync_token, updated_at, generation, payload)
SELECT {realm}, 'Item', n::text, 0, now(), 1,
       jsonb_build_object('Id', n::text, 'Name', 'Item ' || n, 'Sku', 'S-' || n, 'Type', 'Service', 'Active', true, 'UnitPrice', n % 500)
  FROM size, generate_series(1, items) AS n;
INSERT INTO quickbooks.record (realm, entity, id, sync_token, updated_at, generation, payload)
SELECT {realm}, 'Invoice', n::text, 0, now(), 1,
       jsonb_build_object('Id', n::text, 'DocNumber', n::text, 'TxnDate', '2025-03-01', 'TotalAmt', n % 5000,
           'CustomerRef', jsonb_build_object('value', (1 + n % customers)::text))
  FROM size, generate_series(1, invoices) AS n;

-- ── the CRM ─────────────────────────────────────────────────────────────────────────────────

INSERT INTO crm.products (id, company_id, name, code, price, quickbooks_product_id)
SELECT n, 'sample', 'Item ' || n, 'S-' || n, n % 500, n::text FROM size, generate_series(1, items) AS n;
INSERT INTO crm.accounts (id, company_id, name, company_name, type, phone, email, billing_street, billing_city, billing_state, balance, active, quickbooks_customer_id)
SELECT n, 'sample', name, name, 'Customer', '(555) 555-0100', 'kim' || n || '@example.com', n || ' Main St', 'Fairfield', 'CA',
       n % 9000, n % 50 <> 3, n::text
  FROM named, size WHERE n <= customers;
INSERT INTO crm.accounts (id, company_id, name) SELECT customers + n, 'sample', 'By hand ' || n FROM size, generate_series(1, customers / 100) AS n;
INSERT INTO crm.contacts (id, company_id, account_id, first_name, last_name, email, quickbooks_customer_id)
SELECT n, 'sample', n, 'Kim', 'Reyes ' || n, 'kim' || n || '@example.com', n::text FROM named, size WHERE n <= customers;
INSERT INTO crm.invoices (id, company_id, account_id, kind, number, date, total, quickbooks_invoice_id)
SELECT n, 'sample', 1 + n % customers, 'invoice', n::text, '2025-03-01', n % 5000, n::text FROM size, generate_series(1, invoices) AS n;
INSERT INTO crm.invoice_lines (invoice_id, position, type, product_id, quantity, amount)
SELECT n, 1, 'SalesItemLineDetail', 1 + n % items, 1, n % 5000 FROM size, generate_series(1, invoices) AS n;

-- ── the links, and what was not added ───────────────────────────────────────────────────────

CREATE TEMPORARY TABLE loaded AS
SELECT 'Item' AS entity, n, 'products' AS module FROM size, generate_series(1, items) AS n
UNION ALL SELECT 'Customer', n, 'accounts' FROM size, generate_series(1, customers) AS n
UNION ALL SELECT 'Customer', n, 'contacts' FROM size, generate_series(1, customers) AS n
UNION ALL SELECT 'Invoice', n, 'invoices' FROM size, generate_series(1, invoices) AS n;

INSERT INTO sync.link (realm, entity, id, module, record_key, source_hash, written, state, run_id, linked_in)
SELECT {realm}, entity, n::text, module, n::text, md5(n::text), jsonb_build_object('name', 'Name ' || n, 'active', true),
       CASE WHEN entity = 'Customer' AND n % 50 = 3 THEN 'inactive' ELSE 'active' END, 'run-0001', 'run-0001'
  FROM loaded;
INSERT INTO sync.held (realm, module, entity, id, outcome, reason, collides_with, candidates, mapping_hash, run_id)
SELECT {realm}, 'accounts', 'Customer', (customers + n)::text,
       CASE WHEN n % 3 = 0 THEN 'duplicate' ELSE 'not_added' END,
       CASE WHEN n % 3 = 0 THEN 'check_fields' WHEN n % 3 = 1 THEN 'ambiguous_key' ELSE 'missing_required' END,
       CASE WHEN n % 3 = 0 THEN n::text END, CASE WHEN n % 3 = 1 THEN ARRAY[n::text, (n + 1)::text] ELSE '{{}}' END, 'a hash', 'run-0998'
  FROM size, generate_series(1, held) AS n;
INSERT INTO sync.parked (realm, module, entity, id, field, target_module, target_entity, target_id, run_id)
SELECT {realm}, 'invoices', 'Invoice', n::text, 'quote', 'quotes', 'Estimate', n::text, 'run-0998' FROM size, generate_series(1, invoices / 50) AS n;
INSERT INTO sync.module_position (realm, module, generation, mapping_hash, target, run_id)
SELECT {realm}, module, 1, hash, target, 'run-0999' FROM unnest({modules}::text[], {hashes}::text[], {targets}::text[]) AS known (module, hash, target);
INSERT INTO sync.entity_position (realm, entity, changed_since, full_read_at)
SELECT {realm}, entity, now(), now() FROM unnest(ARRAY['Customer', 'Item', 'Invoice']) AS entity;
INSERT INTO sync.company (company, realm, environment, name) VALUES ('sample', {realm}, 'simulator', 'Sample company');
INSERT INTO sync.lease (realm, company) VALUES ({realm}, 'sample');

-- ── the runs ────────────────────────────────────────────────────────────────────────────────

INSERT INTO sync.run (realm, run_id, company, trigger, started_by, started_at, finished_at, state, kind, modules, work, errors)
SELECT {realm}, 'run-' || to_char(n, 'FM0000'), 'sample', CASE WHEN n % 10 = 0 THEN 'manual' ELSE 'scheduled' END,
       CASE WHEN n % 10 = 0 THEN 'admin' END, now() - make_interval(hours => 1001 - n::integer),
       now() - make_interval(hours => 1001 - n::integer, secs => -90),
       CASE WHEN n % 40 = 9 THEN 'failed' ELSE 'success' END,
       CASE WHEN n % 20 = 0 THEN 'preview' WHEN n % 90 = 5 THEN 'replay' ELSE 'sync' END, {modules}::text[], {modules}::text[],
       CASE WHEN n % 40 = 9 THEN '{{"extract": {{"code": "quickbooks_unavailable", "message": "QuickBooks does not answer."}}}}' ELSE '{{}}' END::jsonb
  FROM generate_series(1, 1000) AS n;
INSERT INTO sync.call (client_id, month, realm, run_id, purpose, calls, metered)
SELECT 'client', date_trunc('month', started_at)::date, {realm}, run_id, purpose, 3, 3
  FROM sync.run CROSS JOIN unnest(ARRAY['changes', 'Customer', 'Invoice']) AS purpose;

-- The first run added everything, with notes on every account and few invoices; run 998 could not add many, and every
-- run updates some.
INSERT INTO sync.outcome (realm, run_id, module, entity, id, outcome, record_key, after, details)
SELECT {realm}, 'run-0001', module, entity, n::text, 'added', n::text, jsonb_build_object('name', 'Name ' || n, 'active', true),
       CASE WHEN module = 'accounts' OR module = 'invoices' AND n % 5000 = 7
            THEN '{{"notes": [{{"label": "Exchange rate", "value": 0, "rule": "is no rate at which anything can be exchanged"}}]}}'::jsonb END
  FROM loaded;
INSERT INTO sync.outcome (realm, run_id, module, entity, id, outcome, reason, message, details)
SELECT realm, run_id, module, entity, id, outcome, reason, 'A sentence that says why of ' || id, jsonb_build_object('fields', jsonb_build_array('name'))
  FROM sync.held;
INSERT INTO sync.outcome (realm, run_id, module, entity, id, outcome, record_key, before, after)
SELECT {realm}, run_id, 'accounts', 'Customer', id::text, 'updated', id::text, '{{"balance": 1}}', '{{"balance": 2}}'
  FROM sync.run, size, generate_series(1, 100) AS n, LATERAL (SELECT 1 + (n * 997 + right(run_id, 4)::bigint) % customers AS id) AS chosen
 WHERE run_id > 'run-0001'
    ON CONFLICT DO NOTHING;
INSERT INTO sync.activity (realm, run_id, module, mapping_hash, mode, from_generation, to_generation, read, added, updated,
                           unchanged, duplicate, not_added, excluded, deactivated, deleted, resolved)
SELECT realm, run_id, module, 'a hash', 'merge', 0, 1, count(*), count(*) FILTER (WHERE outcome = 'added'),
       count(*) FILTER (WHERE outcome = 'updated'), 0, count(*) FILTER (WHERE outcome = 'duplicate'),
       count(*) FILTER (WHERE outcome = 'not_added'), 0, 0, 0, 0
  FROM sync.outcome
 GROUP BY realm, run_id, module;
