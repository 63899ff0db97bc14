-- patience --
-- Nobody waits for the row, or holds it, longer than a login with all its tries can take.
SELECT set_config('lock_timeout', '120s', true), set_config('idle_in_transaction_session_timeout', '120s', true);

-- begin --
-- A company's row is there before its first login, so that there is something to lock.
INSERT INTO sync.token (realm)
VALUES (%(realm)s)
    ON CONFLICT (realm) DO NOTHING;

-- refuse --
-- Written before Intuit is asked; taken back when it accepts the seed. Nothing else of the row changes.
UPDATE sync.token
   SET refused_seed_hashes = refused_seed_hashes || %(refusal)s::text
 WHERE realm = %(realm)s;

-- reseed --
-- Intuit has accepted a new seed: the tokens of the one before go; `save` brings the new ones.
UPDATE sync.token
   SET previous_refresh_token = NULL,
       hard_expires_at = NULL,
       former_seed_hashes = array_remove(former_seed_hashes || seed_hash, NULL),
       refused_seed_hashes = array_remove(refused_seed_hashes, %(refusal)s),
       seed_hash = %(seed_hash)s,
       attempted_at = clock_timestamp()
 WHERE realm = %(realm)s;

-- lock --
-- Whoever has the row is the only one who may log in. An access token is used until ten minutes before its end.
SELECT refresh_token,
       previous_refresh_token,
       access_token,
       seed_hash,
       former_seed_hashes,
       refused_seed_hashes,
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
