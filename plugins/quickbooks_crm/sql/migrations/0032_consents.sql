-- People's ways to Intuit's consent page and back.

CREATE TABLE sync.consent (
    state_hash   text PRIMARY KEY,
    company      text        NOT NULL,
    realm        text        NOT NULL,
    user_id      text        NOT NULL,
    user_name    text        NOT NULL,
    redirect_uri text        NOT NULL,
    asked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended        text CHECK (ended IN ('connected', 'denied', 'late', 'other_company', 'refused')),
    said         text,
    ended_at     timestamptz,
    CHECK (num_nulls(ended, said, ended_at) IN (0, 3))
);
CREATE INDEX consent_company ON sync.consent (company, asked_at DESC);
COMMENT ON TABLE sync.consent IS 'Who was sent to Intuit''s consent page for which company, and what came of it; kept for 90 days.';
COMMENT ON COLUMN sync.consent.state_hash IS 'SHA-256 of the state that the browser brings back; it is good for one answer.';
COMMENT ON COLUMN sync.consent.redirect_uri IS 'Where Intuit was asked to send the browser back to: the code is exchanged with the same.';
COMMENT ON COLUMN sync.consent.said IS 'What the person was told, without customer data.';
