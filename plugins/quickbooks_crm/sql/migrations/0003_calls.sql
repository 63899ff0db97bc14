-- Calls to QuickBooks: turns within Intuit's limits, the ledger of all calls, and the month's budget.

CREATE TABLE sync.budget (
    client_id text   NOT NULL,
    month     date   NOT NULL,
    budget    bigint NOT NULL,
    used      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (client_id, month)
);
COMMENT ON TABLE sync.budget IS 'The calls of an app that Intuit bills, by month: all companies with the same client id share them.';
COMMENT ON COLUMN sync.budget.month IS 'The first day of the month, in UTC.';
COMMENT ON COLUMN sync.budget.budget IS 'How many there may be, as the connection said at the last call.';
COMMENT ON COLUMN sync.budget.used IS 'Calls billed, and calls on their way or without an answer: of those nobody knows.';

CREATE TABLE sync.call (
    client_id text    NOT NULL,
    month     date    NOT NULL,
    realm     text    NOT NULL,
    run_id    text    NOT NULL,
    purpose   text    NOT NULL,
    calls     bigint  NOT NULL,
    metered   bigint  NOT NULL,
    PRIMARY KEY (realm, run_id, purpose, client_id, month)
);
COMMENT ON TABLE sync.call IS 'How often QuickBooks was asked, on whose account and for what.';
COMMENT ON COLUMN sync.call.client_id IS 'The app that asked; empty for runs from before this table.';
COMMENT ON COLUMN sync.call.month IS 'The first day of the month, in UTC.';
COMMENT ON COLUMN sync.call.run_id IS 'Empty for calls by hand, such as those of the connection''s Test button.';
COMMENT ON COLUMN sync.call.purpose IS 'The entity read, or changes, count or companyinfo; empty for runs from before this table.';
COMMENT ON COLUMN sync.call.calls IS 'Requests that reached QuickBooks or may have, answered well or not.';
COMMENT ON COLUMN sync.call.metered IS 'Those of them that count against the budget.';

INSERT INTO sync.call (client_id, month, realm, run_id, purpose, calls, metered)
SELECT '', date_trunc('month', started_at AT TIME ZONE 'UTC'), realm, run_id, '', api_calls, 0
  FROM sync.run
 WHERE api_calls > 0;
ALTER TABLE sync.run DROP COLUMN api_calls;

CREATE TABLE sync.turn (
    turn      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id text        NOT NULL,
    month     date        NOT NULL,
    realm     text        NOT NULL,
    run_id    text        NOT NULL,
    purpose   text        NOT NULL,
    metered   boolean     NOT NULL,
    begun_at  timestamptz NOT NULL,
    ended_at  timestamptz
);
CREATE INDEX turn_begun ON sync.turn (realm, begun_at);
COMMENT ON TABLE sync.turn IS 'The calls of the last minutes, by which Intuit''s limits are kept.';
COMMENT ON COLUMN sync.turn.ended_at IS 'NULL while on its way, and for ever when its process was killed.';

CREATE FUNCTION sync.begin_call(
    of_realm text, of_client text, of_run text, for_purpose text, monthly bigint,
    most_in_flight integer, longest interval, counts integer[], spans interval[],
    OUT turn bigint, OUT wait double precision, OUT spent bigint, OUT in_month date)
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
BEGIN
    -- A call lost in a crash of the database itself is worth less than the time of a flush to disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('quickbooks_crm.call ' || of_realm, 0));
    moment := clock_timestamp();
    in_month := date_trunc('month', moment AT TIME ZONE 'UTC');
    DELETE FROM sync.turn AS old WHERE old.realm = of_realm AND old.begun_at < moment - interval '10 min';
    -- The clock was put back: what it takes for future began just now.
    UPDATE sync.turn AS early SET begun_at = moment WHERE early.realm = of_realm AND early.begun_at > moment;

    SELECT max(extract(epoch FROM span - (moment - nth.begun_at))) INTO wait
      FROM unnest(counts, spans) AS allowed (count, span)
     CROSS JOIN LATERAL (SELECT begun_at FROM sync.turn AS earlier WHERE earlier.realm = of_realm
                          ORDER BY begun_at DESC OFFSET allowed.count - 1 LIMIT 1) AS nth;
    IF most_in_flight <= (SELECT count(*) FROM sync.turn AS other
                           WHERE other.realm = of_realm AND other.ended_at IS NULL
                             AND other.begun_at > moment - longest) THEN
        wait := greatest(wait, 0.05 + random() * 0.1);
    END IF;
    IF wait > 0 THEN
        RETURN;
    END IF;
    wait := NULL;

    IF monthly IS NOT NULL THEN
        INSERT INTO sync.budget AS known (client_id, month, budget) VALUES (of_client, in_month, monthly)
        ON CONFLICT (client_id, month) DO UPDATE SET budget = excluded.budget
        RETURNING known.used INTO spent;
        IF spent >= monthly THEN
            RETURN;
        END IF;
        UPDATE sync.budget AS known SET used = used + 1 WHERE known.client_id = of_client AND known.month = in_month;
    END IF;
    INSERT INTO sync.call AS known (client_id, month, realm, run_id, purpose, calls, metered)
    VALUES (of_client, in_month, of_realm, of_run, for_purpose, 1, (monthly IS NOT NULL)::integer)
    ON CONFLICT (realm, run_id, purpose, client_id, month)
    DO UPDATE SET calls = known.calls + 1, metered = known.metered + excluded.metered;
    INSERT INTO sync.turn AS taken (client_id, month, realm, run_id, purpose, metered, begun_at)
    VALUES (of_client, in_month, of_realm, of_run, for_purpose, monthly IS NOT NULL, moment)
    RETURNING taken.turn INTO begin_call.turn;
END $$;
COMMENT ON FUNCTION sync.begin_call IS 'Take a turn to call QuickBooks and write the call down. No turn: try again after so many seconds; or, without any, the month''s budget is spent.';

CREATE FUNCTION sync.end_call(of_turn bigint, outcome text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    ended sync.turn;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE sync.turn AS taken SET ended_at = clock_timestamp()
     WHERE taken.turn = of_turn AND taken.ended_at IS NULL
    RETURNING * INTO ended;
    IF NOT FOUND OR outcome = 'billed' THEN
        RETURN;
    END IF;
    IF ended.metered THEN
        UPDATE sync.budget SET used = used - 1 WHERE client_id = ended.client_id AND month = ended.month;
    END IF;
    UPDATE sync.call
       SET calls = calls - (outcome = 'unsent')::integer, metered = metered - ended.metered::integer
     WHERE (realm, run_id, purpose, client_id, month)
         = (ended.realm, ended.run_id, ended.purpose, ended.client_id, ended.month);
END $$;
COMMENT ON FUNCTION sync.end_call IS 'The call is over: billed, free or unsent. What was not billed is given back; what never ends stays billed.';
