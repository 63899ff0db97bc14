-- What QuickBooks told of changes: hints to sync early, never data.

CREATE TABLE sync.webhook_event (
    realm       text        NOT NULL,
    event_id    text        NOT NULL,
    entity      text        NOT NULL,
    id          text        NOT NULL,
    operation   text        NOT NULL,
    merged_id   text,
    occurred_at timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (realm, event_id)
);
CREATE INDEX webhook_event_realm ON sync.webhook_event (realm, received_at);
CREATE INDEX webhook_event_received ON sync.webhook_event (received_at);
COMMENT ON TABLE sync.webhook_event IS 'That something changed in QuickBooks, kept for 30 days; what it is now, a sync reads itself.';
COMMENT ON COLUMN sync.webhook_event.event_id IS 'QuickBooks'' own; for its old form, which has none, a hash of all that it said.';
COMMENT ON COLUMN sync.webhook_event.entity IS 'In lower case: QuickBooks'' two forms write it differently.';
COMMENT ON COLUMN sync.webhook_event.merged_id IS 'The record that a merge did away with; nothing else in QuickBooks tells which it was.';

CREATE TABLE sync.webhook_unread (
    sha256      text        PRIMARY KEY,
    bytes       bigint      NOT NULL,
    reason      text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sync.webhook_unread IS 'Deliveries signed by Intuit that could not be read: every company then syncs early. Kept for 30 days.';

CREATE TABLE sync.webhook_count (
    day     date        NOT NULL DEFAULT current_date,
    what    text        NOT NULL,
    count   bigint      NOT NULL,
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, what)
);
COMMENT ON TABLE sync.webhook_count IS 'How deliveries and their events ended, by day (UTC of the database), kept for 90 days.';

COMMENT ON COLUMN sync.run.trigger IS 'scheduled, manual, webhook or command line.';
