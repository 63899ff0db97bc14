-- is_due --
-- Whether nobody has asked lately which company it is that our company leads to.
SELECT NOT EXISTS (SELECT FROM sync.company
                    WHERE company = %(company)s AND realm = %(realm)s AND checked_at > now() - interval '1 day');

-- bound --
SELECT realm, environment, name, created_at
  FROM sync.company
 WHERE company = %(company)s
   FOR UPDATE;

-- bind --
-- The first company, or another one that a person has released.
INSERT INTO sync.company (company, realm, environment, name, created_at)
VALUES (%(company)s, %(realm)s, %(environment)s, %(name)s, %(created_at)s)
    ON CONFLICT (company) DO UPDATE
   SET realm = excluded.realm,
       environment = excluded.environment,
       name = excluded.name,
       created_at = excluded.created_at,
       bound_at = now(),
       checked_at = now();

-- checked --
-- The same company; what QuickBooks had not said before is filled in.
UPDATE sync.company
   SET checked_at = now(),
       name = coalesce(nullif(name, ''), %(name)s),
       created_at = coalesce(created_at, %(created_at)s)
 WHERE company = %(company)s;
