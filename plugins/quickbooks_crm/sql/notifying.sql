-- told --
-- What people were told of a company and is not settled, as far as is known.
SELECT code, subject, title FROM sync.concern WHERE company = %(company)s;

-- tell --
INSERT INTO sync.concern (company, realm, code, subject, title)
VALUES (%(company)s, %(realm)s, %(code)s, %(subject)s, %(title)s)
    ON CONFLICT (company, code, subject) DO NOTHING;

-- settle --
DELETE FROM sync.concern WHERE company = %(company)s AND code = %(code)s AND subject = %(subject)s;
