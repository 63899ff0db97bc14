-- What a version waits for that the table refused is told apart from what the version waits for that the CRM has: also once a
-- later version was refused for something else, or an undo has brought the references back.

ALTER TABLE sync.parked ADD COLUMN refused boolean;
COMMENT ON COLUMN sync.parked.refused IS 'Whether it is a reference of a version that the table refused, which the CRM does not have.';

UPDATE sync.parked SET refused = true
  FROM sync.held
 WHERE (held.realm, held.module, held.entity, held.id) = (parked.realm, parked.module, parked.entity, parked.id)
   AND held.reason = 'refused_by_table';

CREATE VIEW sync.waiting AS
    SELECT * FROM sync.parked
     WHERE refused IS NOT TRUE
        OR EXISTS (SELECT FROM sync.held
                    WHERE (held.realm, held.module, held.entity, held.id) = (parked.realm, parked.module, parked.entity, parked.id)
                      AND reason = 'refused_by_table');
COMMENT ON VIEW sync.waiting IS 'Open references that may be closed: not those of a refused version that another one, or an undo, has come after.';
