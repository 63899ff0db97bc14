-- A merge that was told wrongly can be taken back.

ALTER TABLE sync.merge ADD COLUMN taken_back_at timestamptz;
COMMENT ON COLUMN sync.merge.taken_back_at IS 'When a person said that it was told wrongly; until it is told anew it does not count.';

CREATE OR REPLACE VIEW sync.merged_away AS
    SELECT lost.realm, lost.entity, lost.loser, lost.survivor, lost.told_at
      FROM sync.merge AS lost
     WHERE lost.taken_back_at IS NULL
       AND NOT EXISTS (SELECT FROM sync.merge AS later
                        WHERE (later.realm, later.entity, later.survivor) = (lost.realm, lost.entity, lost.loser)
                          AND later.told_at > lost.told_at AND later.taken_back_at IS NULL)
       AND NOT EXISTS (SELECT FROM quickbooks.record AS record
                        WHERE (record.realm, record.entity, record.id) = (lost.realm, lost.entity, lost.loser)
                          AND sync.state_in_quickbooks(record.deleted, record.payload) = 'active');
COMMENT ON VIEW sync.merged_away IS 'Merges that still hold: not taken back, the loser has not become active again, and nothing has been merged into it since.';
