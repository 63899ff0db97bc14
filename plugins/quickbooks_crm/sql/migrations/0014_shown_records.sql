-- What loaded records show of other records, so that a change of these is seen in those.

CREATE TABLE sync.shown (
    realm        text   NOT NULL,
    module       text   NOT NULL,
    entity       text   NOT NULL,
    id           text   NOT NULL,
    shown_entity text   NOT NULL,
    shown_id     text   NOT NULL,
    show         text[] NOT NULL,
    value        text,
    PRIMARY KEY (realm, module, entity, id, shown_entity, shown_id, show)
);
-- No index begins like the primary key: without statistics Postgres would take it for the key.
CREATE INDEX shown_record ON sync.shown (shown_id, shown_entity, module, realm);
COMMENT ON TABLE sync.shown IS 'Which records show a value of another one by `lookup`: those that have to be loaded again when it changes.';
COMMENT ON COLUMN sync.shown.show IS 'The names that lead to the value in the record that is shown.';
COMMENT ON COLUMN sync.shown.value IS 'The value when the module last loaded the record; NULL when there was none, or only one of a later generation.';

CREATE VIEW sync.shows_changed AS
    SELECT changed.realm, changed.entity AS shown_entity, changed.generation, shows.module, shows.entity, shows.id
      FROM quickbooks.record AS changed
     CROSS JOIN LATERAL (
           SELECT module, entity, id FROM sync.shown
            WHERE (shown_id, shown_entity, realm) = (changed.id, changed.entity, changed.realm)
              AND value IS DISTINCT FROM changed.payload #>> show
           OFFSET 0) AS shows;
COMMENT ON VIEW sync.shows_changed IS 'The records that show something which has changed since, with the generation of the change. Ask for some generations only.';
