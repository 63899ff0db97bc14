-- Which stored mapping may be previewed, and put in force by the preview's Yes.

CREATE TABLE sync.mapping_offer (
    company    text        NOT NULL,
    module     text        NOT NULL,
    version    integer     NOT NULL,
    choice     integer     NOT NULL,
    offered_by text        NOT NULL,
    offered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company, module),
    FOREIGN KEY (company, module, version) REFERENCES sync.mapping_version
);
COMMENT ON TABLE sync.mapping_offer IS 'The version of each module that somebody who may put mappings in force has offered last. Whoever may start runs may preview it, and put it in force by saying Yes.';
COMMENT ON COLUMN sync.mapping_offer.choice IS 'The last choice (0: none) when it was offered: the offer ends when another is made.';
