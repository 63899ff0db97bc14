-- patience --
-- No statement waits for others, or is at work, longer than this; it holds until the connection is closed.
SELECT set_config('lock_timeout', %(for_others)s, false), set_config('statement_timeout', %(milliseconds)s, false);

-- one_answer --
-- While Intuit is asked the transaction does nothing, for as long as a login with all its tries can take.
SELECT set_config('idle_in_transaction_session_timeout', '120s', true);

-- one_at_a_time --
-- A browser that comes back twice waits here for the answer that the first time got.
SELECT FROM sync.consent WHERE state_hash = %(state_hash)s FOR UPDATE;

-- forget --
DELETE FROM sync.consent WHERE company = %(company)s AND asked_at < now() - interval '90 days';

-- begin --
INSERT INTO sync.consent (state_hash, company, realm, user_id, user_name, redirect_uri)
VALUES (%(state_hash)s, %(company)s, %(realm)s, %(user_id)s, %(user_name)s, %(redirect_uri)s);

-- asked --
SELECT state_hash, company, user_id, redirect_uri, ended, said,
       asked_at < clock_timestamp() - make_interval(secs => %(lifetime)s) AS late
  FROM sync.consent
 WHERE state_hash = %(state_hash)s;

-- end --
UPDATE sync.consent
   SET ended = %(ended)s, said = %(said)s, ended_at = clock_timestamp()
 WHERE state_hash = %(state_hash)s;

-- last --
-- What came of the newest consent of each company that has come to an end.
SELECT DISTINCT ON (company) company, ended, said, ended_at, user_name
  FROM sync.consent
 WHERE company = ANY (%(companies)s)
   AND ended IS NOT NULL
 ORDER BY company, asked_at DESC;
