-- Whose app a login belongs to, since when it is there, and new logins on trial.

ALTER TABLE sync.token
    ADD COLUMN client_id     text,
    ADD COLUMN keys_hash     text,
    ADD COLUMN connected_at  timestamptz,
    ADD COLUMN refused_seeds jsonb NOT NULL DEFAULT '{}',
    DROP CONSTRAINT token_state_check,
    ADD CONSTRAINT token_state_check CHECK (state IN ('connected', 'reconnect_needed', 'disconnected'));
UPDATE sync.token
   SET connected_at = updated_at,
       refused_seeds = (SELECT coalesce(jsonb_object_agg(refusal, 'unknown'), '{}')
                          FROM unnest(refused_seed_hashes) AS refusal);
ALTER TABLE sync.token DROP COLUMN refused_seed_hashes;
COMMENT ON COLUMN sync.token.client_id IS 'The app that these tokens were given to: with the keys of another one they are worth nothing.';
COMMENT ON COLUMN sync.token.keys_hash IS 'SHA-256 of the client id and client secret that Intuit last accepted together.';
COMMENT ON COLUMN sync.token.connected_at IS 'When a person last connected the company.';
COMMENT ON COLUMN sync.token.refused_seeds IS 'First refresh tokens that were refused, each as the SHA-256 of environment, client id and token -> why: unknown (to Intuit), other_company. They are tried once.';
COMMENT ON COLUMN sync.token.state IS 'reconnect_needed: Intuit has ended the login. disconnected: a person here has.';

CREATE TABLE sync.candidate (
    proof                  text PRIMARY KEY,
    refresh_token          text NOT NULL,
    previous_refresh_token text,
    access_token           text NOT NULL,
    access_expires_at      timestamptz NOT NULL,
    refresh_expires_at     timestamptz,
    hard_expires_at        timestamptz,
    keys_hash              text NOT NULL
);
COMMENT ON TABLE sync.candidate IS 'What Intuit gave for a first refresh token (encrypted), until the company behind it is proven; kept when that is another one, so that the token is not lost for its own.';
COMMENT ON COLUMN sync.candidate.proof IS 'SHA-256 of client id and first refresh token.';
