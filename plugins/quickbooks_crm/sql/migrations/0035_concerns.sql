-- What waits for a person, found quickly and told once.

CREATE INDEX held_not_added ON sync.held (realm, module) WHERE outcome = 'not_added';

CREATE TABLE sync.concern (
    company text        NOT NULL,
    realm   text        NOT NULL,
    code    text        NOT NULL,
    subject text        NOT NULL,
    title   text        NOT NULL,
    told_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, code, subject)
);
COMMENT ON TABLE sync.concern IS 'What a company''s notifier has told people of and is not settled yet.';
COMMENT ON COLUMN sync.concern.realm IS 'The company of QuickBooks, empty where the connection does not say.';
