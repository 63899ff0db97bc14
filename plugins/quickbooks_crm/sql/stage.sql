-- batch --
-- The records of a module that a window takes.
WITH {wanted}
SELECT entity, id,
       CASE WHEN NOT deleted
             AND payload ->> 'TxnDate' < (SELECT settings ->> 'start_date' FROM sync.run
                                           WHERE realm = %(realm)s AND run_id = %(run_id)s)
             AND NOT EXISTS (SELECT FROM sync.link
                              WHERE (link.realm, link.entity, link.id, link.module)
                                  = (%(realm)s, wanted.entity, wanted.id, %(module)s))
            THEN 'early'
            WHEN sync.state_in_quickbooks(deleted, payload) = 'inactive'
             AND EXISTS (SELECT FROM sync.merged_away AS merged
                          WHERE (merged.realm, merged.entity, merged.loser) = (%(realm)s, wanted.entity, wanted.id))
            THEN 'merged' ELSE sync.state_in_quickbooks(deleted, payload) END
       {paths}
  FROM wanted;

-- changed --
-- Those that changed since it last loaded, then those held back or waiting whose cause has changed, and those that show
-- a record which changed.
generations AS (
    SELECT generation FROM sync.generation
     WHERE realm = %(realm)s AND generation > %(position)s AND generation <= %(sealed)s
), waiting AS (
    SELECT entity, id FROM sync.held
     WHERE realm = %(realm)s AND module = %(module)s AND mapping_hash <> %(hash)s
       AND EXISTS (SELECT FROM sync.module_position
                    WHERE realm = %(realm)s AND module = %(module)s AND mapping_hash <> %(hash)s)
    UNION
    SELECT entity, id FROM sync.held WHERE realm = %(realm)s AND module = %(module)s AND due
    UNION
    SELECT entity, id FROM sync.arrived AS own
     WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s
       AND NOT EXISTS (SELECT FROM sync.held
                        WHERE (held.realm, held.module, held.entity, held.id) = (%(realm)s, %(module)s, own.entity, own.id)
                          AND held.reason IN ('undone', 'unlinked'))
    UNION
    SELECT entity, id FROM sync.shows_changed AS shows
     WHERE realm = %(realm)s AND module = %(module)s AND shown_entity = ANY (%(looked_up)s)
       AND NOT EXISTS (SELECT FROM sync.held
                        WHERE (held.realm, held.module, held.entity, held.id) = (%(realm)s, %(module)s, shows.entity, shows.id)
                          AND held.reason = 'undone')
       AND generation IN (SELECT generation FROM generations)
       AND EXISTS (SELECT FROM sync.shown WHERE realm = %(realm)s AND module = %(module)s)
), wanted AS (
    SELECT entity, id, deleted, payload FROM quickbooks.record AS record
     WHERE realm = %(realm)s AND entity = ANY (%(entities)s)
       AND generation IN (SELECT generation FROM generations)
       AND NOT {still_undone}
    UNION ALL
    SELECT record.entity, record.id, record.deleted, record.payload
      FROM waiting
      JOIN quickbooks.record AS record
        ON record.realm = %(realm)s AND (record.entity, record.id) = (waiting.entity, waiting.id)
     WHERE record.entity = ANY (%(entities)s)
       AND record.generation NOT IN (SELECT generation FROM generations)
       AND record.generation <= %(sealed)s
)

-- still_undone --
-- What a person has undone waits still: for the record, another mapping or a person. Of what has changed since the module last
-- loaded, only what was passed over then.
EXISTS (SELECT FROM sync.held
         WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, record.entity, record.id)
           AND reason = 'undone' AND mapping_hash = %(hash)s AND NOT due
           AND (record.generation <= %(position)s OR passed_over = record.generation))

-- held --
-- Those held back for these reasons; of none given, whatever a new try may help.
wanted AS (
    SELECT record.entity, record.id, record.deleted, record.payload
      FROM sync.held AS held
      JOIN quickbooks.record AS record
        ON record.realm = %(realm)s AND (record.entity, record.id) = (held.entity, held.id)
     WHERE held.realm = %(realm)s AND held.module = %(module)s
       AND (held.reason = ANY (%(reasons)s)
            OR (%(reasons)s = '{{}}' AND held.outcome <> 'excluded' AND held.reason NOT IN ('undone', 'unlinked')))
       AND record.entity = ANY (%(entities)s)
       AND record.generation <= %(sealed)s
)

-- slice --
-- Some of all, in the order of a replay. What a person has undone waits for the record, another mapping or a person here, too.
wanted AS (
    SELECT record.*
      FROM (SELECT entity, id FROM replaying WHERE n > %(after)s AND n <= %(until)s) AS slice
     CROSS JOIN LATERAL (
           SELECT entity, id, deleted, payload, generation FROM quickbooks.record
            WHERE (realm, entity, id) = (%(realm)s, slice.entity, slice.id) LIMIT 1) AS record
     WHERE record.generation <= %(sealed)s
       AND NOT {still_undone}
)

-- whole --
-- All, but for what a person has undone and that waits still: for the record, another mapping or a person.
wanted AS (
    SELECT entity, id, deleted, payload FROM quickbooks.record AS record
     WHERE realm = %(realm)s AND entity = ANY (%(entities)s)
       AND generation <= %(sealed)s
       AND NOT {still_undone}
)

-- picked --
, {value}

-- lines --
-- A document's lines, each a list of the values that the mapping looks at; NULL where QuickBooks does not speak of them.
CASE WHEN payload ? {list}
     THEN (SELECT coalesce(json_agg(ARRAY[{values}]::text[] ORDER BY place, inside), '[]') FROM sync.lines(payload -> {list}))::text
END

-- clear --
DELETE FROM sync.staged WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s;

-- unseal --
DELETE FROM sync.stage WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s;

-- clear_all_runs --
DELETE FROM sync.staged WHERE realm = %(realm)s AND module = %(module)s;

-- unseal_all_runs --
-- Also after an undo: what was staged before it may be what it holds back.
DELETE FROM sync.stage WHERE realm = %(realm)s AND module = %(module)s;

-- copy --
COPY sync.staged (realm, run_id, module, entity, id, state, fields, refs, outcome, reason, message, details) FROM STDIN;

-- seal --
INSERT INTO sync.stage (realm, run_id, module, generation, form, rows, checksum)
SELECT %(realm)s, %(run_id)s, %(module)s, %(sealed)s, %(form)s, count(*),
       coalesce(bit_xor(hashtextextended(concat_ws(' ', entity, id, state, jsonb_hash_extended(fields, 0),
                                                       jsonb_hash_extended(refs, 0), outcome), 0)), 0)
  FROM sync.staged
 WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s
RETURNING rows;

-- sealed_stage --
-- The generation up to which the staged rows reach, if they are still what was sealed, for the table as it is.
SELECT stage.generation
  FROM sync.stage AS stage
  JOIN LATERAL (SELECT count(*) AS rows,
                       coalesce(bit_xor(hashtextextended(concat_ws(' ', entity, id, state, jsonb_hash_extended(fields, 0),
                                                       jsonb_hash_extended(refs, 0), outcome), 0)), 0) AS checksum
                  FROM sync.staged AS staged
                 WHERE (staged.realm, staged.run_id, staged.module) = (stage.realm, stage.run_id, stage.module)) AS now
    ON (now.rows, now.checksum) = (stage.rows, stage.checksum)
 WHERE stage.realm = %(realm)s AND stage.run_id = %(run_id)s AND stage.module = %(module)s AND stage.form = %(form)s;
