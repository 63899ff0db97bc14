-- patience --
-- Nobody waits for the row, or holds it, longer than a login with all its tries can take.
SELECT set_config('lock_timeout', '120s', true), set_config('idle_in_transaction_session_timeout', '120s', true);

-- seed --
-- A company's first refresh token, as its connection brings it.
INSERT INTO sync.token (realm, refresh_token, seed_hash)
VALUES (%(realm)s, %(refresh_token)s, %(seed_hash)s)
    ON CONFLICT (realm) DO NOTHING;

-- reseed --
-- The connection brings another first token: a person has connected the company anew.
UPDATE sync.token
   SET refresh_token = %(refresh_token)s,
       previous_refresh_token = NULL,
       access_token = NULL,
       access_expires_at = NULL,
       refresh_expires_at = NULL,
       hard_expires_at = NULL,
       seed_hash = %(seed_hash)s,
       state = 'connected',
       version = version + 1,
       attempted_at = NULL,
       updated_at = now()
 WHERE realm = %(realm)s;

-- lock --
-- Whoever has the row is the only one who may log in. An access token is used until ten minutes before its end.
SELECT refresh_token,
       previous_refresh_token,
       access_token,
       seed_hash,
       state,
       extract(epoch FROM access_expires_at - clock_timestamp())::float8 - 600 AS seconds_left
  FROM sync.token
 WHERE realm = %(realm)s
   FOR UPDATE;

-- attempt --
-- Written before Intuit is asked: a database that cannot write must not cost a refresh token.
UPDATE sync.token
   SET attempted_at = clock_timestamp()
 WHERE realm = %(realm)s;

-- save --
-- What Intuit answered; a refresh token that did not change keeps the one before it.
UPDATE sync.token
   SET refresh_token = %(refresh_token)s,
       previous_refresh_token = coalesce(%(previous_refresh_token)s, previous_refresh_token),
       access_token = %(access_token)s,
       access_expires_at = clock_timestamp() + make_interval(secs => %(expires_in)s),
       refresh_expires_at = clock_timestamp() + make_interval(secs => %(refresh_expires_in)s),
       hard_expires_at = coalesce(clock_timestamp() + make_interval(secs => %(hard_expires_in)s), hard_expires_at),
       state = 'connected',
       version = version + 1,
       updated_at = now()
 WHERE realm = %(realm)s;

-- reconnect_needed --
-- Intuit knows none of our refresh tokens any more: nobody calls until a person connects again.
UPDATE sync.token
   SET state = 'reconnect_needed',
       access_token = NULL,
       access_expires_at = NULL,
       updated_at = now()
 WHERE realm = %(realm)s;
