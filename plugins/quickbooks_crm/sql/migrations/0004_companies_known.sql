-- Which company of QuickBooks each of our companies is.

CREATE TABLE sync.company (
    company     text PRIMARY KEY,
    realm       text NOT NULL,
    environment text NOT NULL,
    name        text NOT NULL,
    created_at  timestamptz,
    bound_at    timestamptz NOT NULL DEFAULT now(),
    checked_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE sync.company IS 'The company of QuickBooks that each of our companies was first read from; another one stops every run.';
COMMENT ON COLUMN sync.company.company IS 'A file in include/companies/.';
COMMENT ON COLUMN sync.company.name IS 'What QuickBooks calls the company, empty when it did not say.';
COMMENT ON COLUMN sync.company.created_at IS 'When the company was made in QuickBooks, as far as it says.';
COMMENT ON COLUMN sync.company.checked_at IS 'When QuickBooks was last asked whether it is still the same company.';
