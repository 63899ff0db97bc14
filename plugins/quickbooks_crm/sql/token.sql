-- patience --
-- Nobody waits for the row, or holds it, longer than a login with all its tries can take.
SELECT set_config('lock_timeout', '120s', true), set_config('idle_in_transaction_session_timeout', '120s', true);

-- begin --
-- A company's row is there before its first login, so that there is something to lock.
INSERT INTO sync.token (realm)
VALUES (%(realm)s)
    ON CONFLICT (realm) DO NOTHING;

-- lock --
-- Whoever has the row is the only one who may log in. An access token is used until ten minutes before its end.
SELECT refresh_token,
       previous_refresh_token,
       access_token,
       client_id,
       keys_hash,
       seed_hash,
       former_seed_hashes,
       refused_seeds,
       state,
       refusals,
       extract(epoch FROM access_expires_at - clock_timestamp())::float8 - 600 AS seconds_left
  FROM sync.token
 WHERE realm = %(realm)s
   FOR UPDATE;

-- elsewhere --
-- Another company whose login began with this first token: using it again could end that one.
SELECT realm
  FROM sync.token
 WHERE realm <> %(realm)s
   AND (seed_hash = %(seed_hash)s OR %(seed_hash)s = ANY (former_seed_hashes));

-- refuse --
-- For a token that Intuit is asked about it is written before, and taken back when Intuit accepts it.
UPDATE sync.token
   SET refused_seeds = refused_seeds || jsonb_build_object(%(refusal)s::text, %(why)s::text)
 WHERE realm = %(realm)s;

-- refused --
-- Why a first token was refused.
SELECT refused_seeds ->> %(refusal)s FROM sync.token WHERE realm = %(realm)s;

-- acquit --
UPDATE sync.token SET refused_seeds = refused_seeds - %(refusal)s::text WHERE realm = %(realm)s;

-- candidate --
SELECT refresh_token, access_token, access_expires_at > clock_timestamp() + interval '1 minute' AS fresh
  FROM sync.candidate
 WHERE proof = %(proof)s;

-- propose --
-- Intuit has accepted a first token; which company it opens is not proven yet.
INSERT INTO sync.candidate (proof, refresh_token, previous_refresh_token, access_token, access_expires_at,
       refresh_expires_at, hard_expires_at, keys_hash)
VALUES (%(proof)s, %(refresh_token)s, %(previous_refresh_token)s, %(access_token)s,
        clock_timestamp() + make_interval(secs => %(expires_in)s),
        clock_timestamp() + make_interval(secs => %(refresh_expires_in)s),
        clock_timestamp() + make_interval(secs => %(hard_expires_in)s), %(keys_hash)s)
    ON CONFLICT (proof) DO UPDATE
   SET refresh_token = excluded.refresh_token,
       previous_refresh_token = excluded.previous_refresh_token,
       access_token = excluded.access_token,
       access_expires_at = excluded.access_expires_at,
       refresh_expires_at = excluded.refresh_expires_at,
       hard_expires_at = excluded.hard_expires_at,
       keys_hash = excluded.keys_hash;

-- bound --
-- The company of QuickBooks that a company of ours is bound to.
SELECT realm, environment, name, created_at FROM sync.company WHERE realm = %(realm)s;

-- accept --
-- A first token has proven itself: what came of it replaces the login there was.
UPDATE sync.token
   SET refresh_token = proven.refresh_token,
       previous_refresh_token = proven.previous_refresh_token,
       access_token = proven.access_token,
       access_expires_at = proven.access_expires_at,
       refresh_expires_at = proven.refresh_expires_at,
       hard_expires_at = proven.hard_expires_at,
       client_id = %(client_id)s,
       keys_hash = proven.keys_hash,
       former_seed_hashes = array_remove(former_seed_hashes || seed_hash, NULL),
       seed_hash = %(seed_hash)s,
       state = 'connected',
       refusals = 0,
       connected_at = clock_timestamp(),
       version = version + 1,
       attempted_at = clock_timestamp(),
       updated_at = now()
  FROM sync.candidate AS proven
 WHERE token.realm = %(realm)s
   AND proven.proof = %(proof)s;

-- given --
-- What Intuit gave for a consent whose company was not proven yet.
SELECT refresh_token, access_token FROM sync.candidate WHERE proof = %(proof)s;

-- supersede --
-- The connection's own first token is older than a person's consent, and is not tried any more.
UPDATE sync.token
   SET former_seed_hashes = former_seed_hashes || %(own_hash)s::text
 WHERE realm = %(realm)s
   AND seed_hash <> %(own_hash)s
   AND NOT %(own_hash)s = ANY (former_seed_hashes);

-- tidy --
-- A candidate that has become a login, and those that nobody can use any more.
DELETE FROM sync.candidate WHERE proof = %(proof)s OR access_expires_at < now() - interval '100 days';

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
       client_id = %(client_id)s,
       keys_hash = %(keys_hash)s,
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

-- refused_again --
-- QuickBooks does not let in whom Intuit has just let in; when it goes on so, nobody calls until a person connects again.
UPDATE sync.token
   SET refusals = refusals + 1,
       state = CASE WHEN refusals + 1 >= %(most)s THEN 'reconnect_needed' ELSE state END
 WHERE realm = %(realm)s
   AND state = 'connected';

-- let_in --
UPDATE sync.token SET refusals = 0 WHERE realm = %(realm)s;

-- disconnect --
-- The login is over because a person here wants it so; no first token there was is tried again.
UPDATE sync.token
   SET state = 'disconnected',
       former_seed_hashes = array_remove(former_seed_hashes || %(seed_hash)s::text, NULL),
       refresh_token = NULL,
       previous_refresh_token = NULL,
       access_token = NULL,
       access_expires_at = NULL,
       refresh_expires_at = NULL,
       hard_expires_at = NULL,
       updated_at = now()
 WHERE realm = %(realm)s;
