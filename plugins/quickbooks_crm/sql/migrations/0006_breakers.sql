-- What stopped a run because it looked like an accident, and who let it go on.

CREATE TABLE sync.breaker (
    breaker         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    realm           text        NOT NULL,
    company         text        NOT NULL,
    code            text        NOT NULL CHECK (code IN ('wrong_company', 'empty_source', 'mass_delete', 'mass_change',
                                                         'too_many_rejects')),
    subject         text        NOT NULL,
    count           bigint      NOT NULL,
    total           bigint      NOT NULL,
    message         text        NOT NULL,
    details         jsonb       NOT NULL,
    run_id          text        NOT NULL,
    trips           integer     NOT NULL DEFAULT 1,
    tripped_at      timestamptz NOT NULL DEFAULT now(),
    last_tripped_at timestamptz NOT NULL DEFAULT now(),
    released_by     text,
    released_at     timestamptz,
    because         text,
    ended           text CHECK (ended IN ('used', 'passed', 'outgrown')),
    ended_at        timestamptz,
    ended_in        text,
    CHECK (num_nulls(released_by, released_at, because) IN (0, 3)),
    CHECK (num_nulls(ended, ended_at, ended_in) IN (0, 3)),
    CHECK (released_at IS NOT NULL OR ended IS DISTINCT FROM 'used')
);
CREATE UNIQUE INDEX breaker_open ON sync.breaker (realm, code, subject) WHERE ended IS NULL;
CREATE INDEX breaker_company ON sync.breaker (company, breaker DESC);
COMMENT ON TABLE sync.breaker IS 'What was not written because it looked like an accident. A person''s release lets it pass once.';
COMMENT ON COLUMN sync.breaker.subject IS 'The entity, module or company that it is about.';
COMMENT ON COLUMN sync.breaker.count IS 'How many of the total would have been hit; a release covers up to a tenth more.';
COMMENT ON COLUMN sync.breaker.details IS 'What a person needs to judge it; may hold customer data.';
COMMENT ON COLUMN sync.breaker.trips IS 'How many runs it has stopped; the tries of one run count once.';
COMMENT ON COLUMN sync.breaker.run_id IS 'The run that it stopped last.';
COMMENT ON COLUMN sync.breaker.because IS 'Why the person released it, in their own words.';
COMMENT ON COLUMN sync.breaker.ended IS 'used: a run went on with the release. passed: a later run found the danger gone. outgrown: it had become greater than what was released. NULL: it still stops runs, or its release waits for one.';
COMMENT ON COLUMN sync.breaker.ended_in IS 'The run in which it ended.';
