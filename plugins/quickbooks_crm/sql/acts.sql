-- note_act --
INSERT INTO sync.act (kind, company, subject, by_whom, details)
VALUES (%(kind)s, %(company)s, %(subject)s, %(by_whom)s, %(details)s);

-- acts --
SELECT act, kind, company, subject, by_whom, acted_at, details
  FROM sync.act
 WHERE %(company)s::text IS NULL OR company = %(company)s
 ORDER BY act DESC
 LIMIT %(limit)s;
