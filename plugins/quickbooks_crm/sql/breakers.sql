-- What looks like an accident, who released it, and what became of it.

-- use --
-- Use up a person's release of this very danger; it covers up to a tenth more than was released, and no company but
-- the one that was shown to the person.
UPDATE sync.breaker
   SET ended = 'used', ended_at = now(), ended_in = %(run_id)s
 WHERE realm = %(realm)s
   AND code = %(code)s
   AND subject = %(subject)s
   AND ended IS NULL
   AND released_at IS NOT NULL
   AND %(count)s::bigint * 10 <= count * 11
   AND (code <> 'wrong_company' OR details = %(details)s);

-- company_of --
-- Whose run this is.
SELECT company FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s
UNION ALL
SELECT company FROM sync.lease WHERE realm = %(realm)s AND company IS NOT NULL
 LIMIT 1;

-- outgrow --
-- End a release that does not cover what the danger has become.
UPDATE sync.breaker
   SET ended = 'outgrown', ended_at = now(), ended_in = %(run_id)s
 WHERE realm = %(realm)s
   AND code = %(code)s
   AND subject = %(subject)s
   AND ended IS NULL
   AND released_at IS NOT NULL
   AND (%(count)s::bigint * 10 > count * 11 OR (code = 'wrong_company' AND details <> %(details)s));

-- trip --
-- One open breaker for each danger; when it trips again, it says what it would be now.
INSERT INTO sync.breaker AS open (realm, company, code, subject, count, total, message, details, run_id)
VALUES (%(realm)s, %(company)s, %(code)s, %(subject)s, %(count)s, %(of)s, %(message)s, %(details)s, %(run_id)s)
ON CONFLICT (realm, code, subject) WHERE ended IS NULL DO UPDATE
   SET company = excluded.company, count = excluded.count, total = excluded.total, message = excluded.message,
       details = excluded.details, run_id = excluded.run_id, last_tripped_at = now(),
       trips = open.trips + CASE WHEN open.run_id = excluded.run_id THEN 0 ELSE 1 END
 WHERE open.released_at IS NULL;

-- clear --
-- The danger is gone: nobody need release it, and a release that nobody needed does not wait for the next one.
UPDATE sync.breaker
   SET ended = 'passed', ended_at = now(), ended_in = %(run_id)s
 WHERE realm = %(realm)s
   AND code = ANY (%(codes)s)
   AND subject = %(subject)s
   AND details @> %(details)s
   AND ended IS NULL;

-- release --
UPDATE sync.breaker
   SET released_by = %(who)s, released_at = now(), because = %(because)s
 WHERE breaker = %(breaker)s
   AND ended IS NULL
   AND released_at IS NULL;

-- open --
-- What stops the company's runs, or has been released and waits for one; the newest first.
SELECT breaker, realm, company, code, subject, count, total AS of, message, details, run_id, trips, tripped_at,
       last_tripped_at, released_by, released_at, because, ended, ended_at, ended_in
  FROM sync.breaker
 WHERE company = %(company)s
   AND ended IS NULL
 ORDER BY breaker DESC;

-- past --
-- What is over, the newest first.
SELECT breaker, realm, company, code, subject, count, total AS of, message, details, run_id, trips, tripped_at,
       last_tripped_at, released_by, released_at, because, ended, ended_at, ended_in
  FROM sync.breaker
 WHERE company = %(company)s
   AND ended IS NOT NULL
 ORDER BY breaker DESC
 LIMIT %(limit)s;
