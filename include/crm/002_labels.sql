-- What people call the columns of the reference CRM. A label that somebody has changed stays as it is.

INSERT INTO crm.form_field (table_name, column_name, label, type, required, read_only, default_value, position)
SELECT table_name, column_name, label, type, required, read_only, default_value,
       10 * row_number() OVER (PARTITION BY table_name ORDER BY listed)
  FROM (VALUES
    ( 1, 'crm.users', 'id',               'User id',          'numeric', false, true,  NULL),
    ( 2, 'crm.users', 'name',             'Name',             'text',    true,  false, NULL),
    ( 3, 'crm.users', 'email',            'E-mail',           'text',    false, false, NULL),
    ( 4, 'crm.users', 'external_user_id', 'External User Id (for data import)', 'text', false, false, NULL),
    ( 5, 'crm.users', 'active',           'Active',           'yes_no',  false, false, 'true'),
    ( 6, 'crm.users', 'created_at',       'Created',          'date_time', false, true,  NULL),
    ( 7, 'crm.users', 'updated_at',       'Last changed',     'date_time', false, true,  NULL),

    (20, 'crm.products', 'id',                    'Product id',            'numeric',    false, true,  NULL),
    (21, 'crm.products', 'company_id',            'Company',               'reference',  false, true,  NULL),
    (22, 'crm.products', 'name',                  'Product name',          'text',       true,  false, NULL),
    (23, 'crm.products', 'code',                  'Product code',          'text',       false, false, NULL),
    (24, 'crm.products', 'description',           'Description',           'multi_line', false, false, NULL),
    (25, 'crm.products', 'type',                  'Product type',          'text',       false, false, NULL),
    (26, 'crm.products', 'category',              'Category',              'text',       false, false, NULL),
    (27, 'crm.products', 'price',                 'Price',                 'numeric',    false, false, NULL),
    (28, 'crm.products', 'cost',                  'Cost',                  'numeric',    false, false, NULL),
    (29, 'crm.products', 'quantity_on_hand',      'Quantity on hand',      'numeric',    false, false, NULL),
    (30, 'crm.products', 'taxable',               'Taxable',               'yes_no',     false, false, NULL),
    (31, 'crm.products', 'active',                'Active',                'yes_no',     false, false, 'true'),
    (32, 'crm.products', 'deleted',               'Deleted in QuickBooks', 'yes_no',     false, true,  'false'),
    (33, 'crm.products', 'quickbooks_product_id', 'QuickBooks product id', 'text',       false, false, NULL),
    (34, 'crm.products', 'created_at',            'Created',               'date_time',  false, true,  NULL),
    (35, 'crm.products', 'updated_at',            'Last changed',          'date_time',  false, true,  NULL),

    (40, 'crm.accounts', 'id',                     'Account id',             'numeric',    false, true,  NULL),
    (41, 'crm.accounts', 'company_id',             'Company',                'reference',  false, true,  NULL),
    (42, 'crm.accounts', 'parent_id',              'Parent account',         'reference',  false, false, NULL),
    (43, 'crm.accounts', 'owner_id',               'Owner',                  'reference',  false, false, NULL),
    (44, 'crm.accounts', 'name',                   'Account name',           'text',       true,  false, NULL),
    (45, 'crm.accounts', 'company_name',           'Company name',           'text',       false, false, NULL),
    (46, 'crm.accounts', 'type',                   'Account type',           'text',       false, false, NULL),
    (47, 'crm.accounts', 'phone',                  'Phone',                  'text',       false, false, NULL),
    (48, 'crm.accounts', 'fax',                    'Fax',                    'text',       false, false, NULL),
    (49, 'crm.accounts', 'email',                  'E-mail',                 'text',       false, false, NULL),
    (50, 'crm.accounts', 'website',                'Website',                'text',       false, false, NULL),
    (51, 'crm.accounts', 'billing_street',         'Billing street',         'text',       false, false, NULL),
    (52, 'crm.accounts', 'billing_street_2',       'Billing street 2',       'text',       false, false, NULL),
    (53, 'crm.accounts', 'billing_city',           'Billing city',           'text',       false, false, NULL),
    (54, 'crm.accounts', 'billing_state',          'Billing state',          'text',       false, false, NULL),
    (55, 'crm.accounts', 'billing_postal_code',    'Billing postal code',    'text',       false, false, NULL),
    (56, 'crm.accounts', 'billing_country',        'Billing country',        'text',       false, false, NULL),
    (57, 'crm.accounts', 'shipping_street',        'Shipping street',        'text',       false, false, NULL),
    (58, 'crm.accounts', 'shipping_street_2',      'Shipping street 2',      'text',       false, false, NULL),
    (59, 'crm.accounts', 'shipping_city',          'Shipping city',          'text',       false, false, NULL),
    (60, 'crm.accounts', 'shipping_state',         'Shipping state',         'text',       false, false, NULL),
    (61, 'crm.accounts', 'shipping_postal_code',   'Shipping postal code',   'text',       false, false, NULL),
    (62, 'crm.accounts', 'shipping_country',       'Shipping country',       'text',       false, false, NULL),
    (63, 'crm.accounts', 'balance',                'Open balance',           'numeric',    false, true,  NULL),
    (64, 'crm.accounts', 'currency',               'Currency',               'text',       false, false, NULL),
    (65, 'crm.accounts', 'tax_number',             'Tax number',             'text',       false, false, NULL),
    (66, 'crm.accounts', 'terms',                  'Payment terms',          'keyword',    false, false, NULL),
    (66, 'crm.accounts', 'tags',                   'Tags',                   'keyword',    false, false, NULL),
    (66, 'crm.accounts', 'notes',                  'Notes',                  'multi_line', false, false, NULL),
    (67, 'crm.accounts', 'active',                 'Active',                 'yes_no',     false, false, 'true'),
    (68, 'crm.accounts', 'deleted',                'Deleted in QuickBooks',  'yes_no',     false, true,  'false'),
    (69, 'crm.accounts', 'quickbooks_customer_id', 'QuickBooks customer id', 'text',       false, false, NULL),
    (70, 'crm.accounts', 'created_at',             'Created',                'date_time',  false, true,  NULL),
    (71, 'crm.accounts', 'updated_at',             'Last changed',           'date_time',  false, true,  NULL),

    (80, 'crm.contacts', 'id',                     'Contact id',             'numeric',   false, true,  NULL),
    (81, 'crm.contacts', 'company_id',             'Company',                'reference', false, true,  NULL),
    (82, 'crm.contacts', 'account_id',             'Account',                'reference', false, false, NULL),
    (83, 'crm.contacts', 'owner_id',               'Owner',                  'reference', false, false, NULL),
    (84, 'crm.contacts', 'salutation',             'Salutation',             'text',      false, false, NULL),
    (85, 'crm.contacts', 'first_name',             'First name',             'text',      false, false, NULL),
    (86, 'crm.contacts', 'middle_name',            'Middle name',            'text',      false, false, NULL),
    (87, 'crm.contacts', 'last_name',              'Last name',              'text',      true,  false, NULL),
    (88, 'crm.contacts', 'suffix',                 'Suffix',                 'text',      false, false, NULL),
    (89, 'crm.contacts', 'phone',                  'Phone',                  'text',      false, false, NULL),
    (90, 'crm.contacts', 'mobile',                 'Mobile',                 'text',      false, false, NULL),
    (91, 'crm.contacts', 'email',                  'E-mail',                 'text',      false, false, NULL),
    (92, 'crm.contacts', 'active',                 'Active',                 'yes_no',    false, false, 'true'),
    (93, 'crm.contacts', 'deleted',                'Deleted in QuickBooks',  'yes_no',    false, true,  'false'),
    (94, 'crm.contacts', 'quickbooks_customer_id', 'QuickBooks customer id', 'text',      false, false, NULL),
    (95, 'crm.contacts', 'created_at',             'Created',                'date_time', false, true,  NULL),
    (96, 'crm.contacts', 'updated_at',             'Last changed',           'date_time', false, true,  NULL)
  ) AS shipped (listed, table_name, column_name, label, type, required, read_only, default_value)
ON CONFLICT (table_name, column_name) DO NOTHING;

-- Columns that hold keywords, and what their lists begin with. A list that is there already stays as people made it, and so
-- do its columns.
WITH shipped (table_name, column_name, list, multi_value, keywords) AS (VALUES
    ('crm.products', 'type',     'Product types',      false, '{Inventory,NonInventory,Service,Group}'::text[]),
    ('crm.products', 'category', 'Product categories', false, '{}'),
    ('crm.accounts', 'terms',    'Payment terms',      false, '{Due on receipt,Net 10,Net 15,Net 30,Net 60}'),
    ('crm.accounts', 'tags',     'Account tags',       true,  '{}')
), lists AS (
    INSERT INTO crm.keyword_lists (name) SELECT list FROM shipped ON CONFLICT DO NOTHING RETURNING id, name
), listed AS (
    INSERT INTO crm.keyword_values (list_id, value, position)
    SELECT lists.id, keyword.value, 10 * keyword.position
      FROM lists JOIN shipped ON list = name
     CROSS JOIN unnest(keywords) WITH ORDINALITY AS keyword (value, position)
    RETURNING id, list_id, value
), aliases AS (
    INSERT INTO crm.keyword_aliases (list_id, value_id, alias)
    SELECT list_id, id, replace(value, ' ', '') FROM listed WHERE value LIKE 'Net %'
)
UPDATE crm.form_field AS shown
   SET type = 'keyword', keyword_list_id = lists.id, multi_value = shipped.multi_value
  FROM lists JOIN shipped ON list = name
 WHERE (shown.table_name, shown.column_name) = (shipped.table_name, shipped.column_name) AND shown.type IN ('text', 'keyword');
