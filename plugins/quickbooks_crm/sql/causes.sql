-- Why records are held back, and whether that has changed.

-- unique_columns --
-- The columns of which a table, or one behind it, allows no value, or combination of values, beside another, with those that
-- say of which records.
SELECT DISTINCT a.attname
  FROM pg_index AS i
  JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND (
       a.attnum = ANY (i.indkey)
       OR EXISTS (SELECT FROM pg_depend
                   WHERE classid = 'pg_class'::regclass AND objid = i.indexrelid
                     AND refclassid = 'pg_class'::regclass AND refobjid = a.attrelid AND refobjsubid = a.attnum))
 WHERE i.indrelid = ANY (ARRAY (SELECT sync.tables_of(%(schema)s, %(name)s))) AND (i.indisunique OR i.indisexclusion)
 ORDER BY 1;

-- in_the_way --
-- The CRM records that each row collided with.
UPDATE sync.held AS held
   SET candidates = known.candidates
  FROM (SELECT own.ctid AS place,
               CASE WHEN i.details -> 'candidates' IS NOT NULL THEN ARRAY (SELECT jsonb_array_elements_text(i.details -> 'candidates'))
                    ELSE ARRAY[i.collides_with] END AS candidates
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT ctid FROM sync.held
                WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) AS own
         WHERE i.outcome IN ('duplicate', 'not_added')
           AND (i.collides_with IS NOT NULL OR jsonb_typeof(i.details -> 'candidates') = 'array')) AS known
 WHERE held.ctid = known.place;

-- broken --
-- The unique indexes that refused rows, and exclusion constraints that compare as they do, each with the columns that it
-- compares, how, and of which records.
SELECT broken.name, array_agg(a.attname::text ORDER BY a.attnum),
       CASE WHEN bool_or(i.indnullsnotdistinct) THEN 'same' ELSE 'equal' END,
       max(pg_get_expr(i.indpred, i.indrelid))
  FROM (SELECT DISTINCT details ->> 'constraint' AS name FROM incoming
         WHERE outcome = 'not_added' AND reason = 'refused_by_table' AND details ->> 'constraint' IS NOT NULL) AS broken
  JOIN pg_class AS c ON c.relname = broken.name
  JOIN pg_index AS i ON i.indexrelid = c.oid AND i.indexprs IS NULL
   AND (i.indisunique OR i.indisexclusion AND c.relam IN (SELECT oid FROM pg_am WHERE amname IN ('btree', 'hash')))
   AND i.indrelid = ANY (ARRAY (SELECT sync.tables_of(%(schema)s, %(name)s)))
  JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
 GROUP BY broken.name;

-- in_its_place --
-- The CRM records that have the value already which a unique index refused.
UPDATE sync.held AS held
   SET candidates = known.candidates
  FROM (SELECT own.ctid AS place,
               ARRAY (SELECT current.{key}::text FROM {table} AS current WHERE {equal} ORDER BY current.{key} LIMIT 20) AS candidates
          FROM incoming AS i
         CROSS JOIN LATERAL jsonb_to_record(i.fields) AS new ({record})
         CROSS JOIN LATERAL (
               SELECT ctid FROM sync.held
                WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) AS own
         WHERE i.outcome = 'not_added' AND i.reason = 'refused_by_table' AND i.details ->> 'constraint' = %(constraint)s) AS known
 WHERE held.ctid = known.place;

-- say_in_its_place --
-- The database's reason says which value it is, in whatever words, and not whose. What the run itself has added is called as
-- QuickBooks calls it: a preview knows no key of it.
UPDATE incoming AS i
   SET message = format('%%s In its way: %%s.', i.message, own.named)
  FROM (SELECT ctid AS place, entity, id, outcome, reason, details FROM incoming) AS refused
 CROSS JOIN LATERAL (
       SELECT string_agg(coalesce(added.named, 'CRM record ' || key), ', ') AS named
         FROM sync.held
        CROSS JOIN unnest(held.candidates) AS key
         LEFT JOIN LATERAL (
              SELECT format('QuickBooks'' %%s %%s', link.entity, link.id) AS named FROM sync.link
               WHERE link.record_key = key AND link.module = ANY (%(sharing)s) AND link.realm = %(realm)s
                 AND link.linked_in = %(run_id)s
               ORDER BY link.entity, link.id LIMIT 1) AS added ON true
        WHERE (held.realm, held.module, held.entity, held.id) = (%(realm)s, %(module)s, refused.entity, refused.id)) AS own
 WHERE i.ctid = refused.place AND refused.outcome = 'not_added' AND refused.reason = 'refused_by_table'
   AND refused.details ->> 'constraint' = %(constraint)s AND NOT refused.details ? 'line' AND own.named IS NOT NULL;

-- lines_in_its_place --
-- The documents with a line that has the value already which a unique index of the lines' table refused.
UPDATE sync.held AS held
   SET candidates = known.candidates
  FROM (SELECT own.ctid AS place,
               ARRAY (SELECT DISTINCT current.{parent}::text
                        FROM incoming_line AS line
                       CROSS JOIN LATERAL jsonb_to_record(line.fields) AS new ({line_record})
                        JOIN {lines} AS current ON {equal}
                       WHERE line.n = i.n AND current.{parent}::text IS DISTINCT FROM i.record_key
                       ORDER BY 1 LIMIT 20) AS candidates
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT ctid FROM sync.held
                WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) AS own
         WHERE i.reason = 'refused_by_table' AND i.details ->> 'constraint' = %(constraint)s) AS known
 WHERE held.ctid = known.place;

-- equal --
current.{column} = new.{column}

-- same --
(current.{column} = new.{column} OR current.{column} IS NULL AND new.{column} IS NULL)

-- column --
current.{column}

-- cause --
-- What keeps a record out, as one hash: the rules of the table and of its keyword lists, the users who can own it, what is on
-- the lists, and what is compared of the records in its way.
md5(concat_ws(' | ',
    CASE WHEN own.outcome = 'not_added' THEN (SELECT concat_ws(' | ', sync.rules_of(%(tables)s){found})) END,
    (SELECT string_agg(concat_ws(' ', jsonb_build_array({compared}), links.said), ', ' ORDER BY current.{key})
       FROM {table} AS current
       LEFT JOIN LATERAL (
            SELECT string_agg(concat_ws(' ', realm, module, entity, id, state), ', ' ORDER BY realm, module, entity, id) AS said
              FROM sync.link WHERE record_key = current.{key}::text AND module = ANY (%(sharing)s)) AS links ON true
      WHERE current.{key} = ANY (own.candidates::{key_type}[]))))

-- and_found --
, {found}

-- note --
UPDATE sync.held AS held
   SET cause = known.cause
  FROM (SELECT own.place, {cause} AS cause
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT ctid AS place, outcome, candidates FROM sync.held
                WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) AS own
         WHERE i.outcome IN ('duplicate', 'not_added')) AS known
 WHERE held.ctid = known.place;

-- not_early_any_more --
-- Documents held back for their date, which the company's start date no longer keeps out.
WITH now AS MATERIALIZED (
    SELECT settings ->> 'start_date' AS start FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s
), same AS MATERIALIZED (
    SELECT run_id FROM sync.run, now WHERE realm = %(realm)s AND settings ->> 'start_date' = now.start
)
UPDATE sync.held
   SET due = true
 WHERE ctid = ANY (ARRAY (
       SELECT own.ctid
         FROM now, sync.held AS own
        CROSS JOIN LATERAL (
              SELECT payload ->> 'TxnDate' AS day FROM quickbooks.record
               WHERE (realm, entity, id) = (%(realm)s, own.entity, own.id) LIMIT 1) AS document
        WHERE own.realm = %(realm)s AND own.module = %(module)s AND own.reason = 'before_start_date' AND NOT own.due
          AND own.run_id NOT IN (SELECT run_id FROM same)
          AND (document.day < now.start) IS NOT TRUE));

-- any --
SELECT EXISTS (SELECT FROM sync.held WHERE realm = %(realm)s AND module = %(module)s AND cause IS NOT NULL AND NOT due);

-- probe --
UPDATE sync.held
   SET due = true
 WHERE ctid = ANY (ARRAY (
       SELECT own.ctid
         FROM sync.held AS own
        WHERE own.realm = %(realm)s AND own.module = %(module)s AND own.cause IS NOT NULL AND NOT own.due
          AND own.cause <> {cause}));

-- arrived --
-- Records which wait for others that are in the CRM now, and are not held back for another reason: what is held back gets its
-- reference by a load of these others, and stays as it is. What the table has refused is also tried again with the records
-- that it waits for, when the run takes these: they changed, are tried again themselves, or all of their module is brought in.
-- Each looks its own up, so that the work stays as small as the number of those that wait.
INSERT INTO sync.arrived (realm, run_id, module, entity, id)
SELECT DISTINCT parked.realm, %(run_id)s::text, parked.module, parked.entity, parked.id
  FROM sync.waiting AS parked
  LEFT JOIN LATERAL (
       SELECT true AS is_there FROM sync.target
        WHERE (target.realm, target.module, target.entity, target.id)
            = (parked.realm, parked.target_module, parked.target_entity, parked.target_id) LIMIT 1) AS target ON true
  LEFT JOIN LATERAL (
       SELECT true AS is_taken
         FROM quickbooks.record AS record
         LEFT JOIN sync.module_position AS place ON (place.realm, place.module) = (parked.realm, parked.target_module)
         LEFT JOIN sync.held AS held ON (held.realm, held.module, held.entity, held.id)
                                      = (parked.realm, parked.target_module, parked.target_entity, parked.target_id)
        WHERE parked.refused AND parked.target_module = ANY (%(taken)s)
          AND (record.realm, record.entity, record.id) = (parked.realm, parked.target_entity, parked.target_id)
          AND (parked.target_module = ANY (%(whole)s) OR record.generation > coalesce(place.generation, 0) OR held.due
               OR (held.mapping_hash <> ALL (%(hashes)s) AND place.mapping_hash <> ALL (%(hashes)s))
               OR EXISTS (SELECT FROM sync.arrived AS before
                           WHERE (before.realm, before.run_id, before.module, before.entity, before.id)
                               = (parked.realm, %(run_id)s, parked.target_module, parked.target_entity, parked.target_id)))
        LIMIT 1) AS coming ON true
 WHERE parked.realm = %(realm)s AND parked.module = %(module)s AND parked.entity = ANY (%(entities)s)
   AND (target.is_there AND (parked.refused OR %(mode)s = 'merge' AND NOT EXISTS (
            SELECT FROM sync.held
             WHERE (held.realm, held.module, held.entity, held.id) = (parked.realm, parked.module, parked.entity, parked.id)))
        OR coming.is_taken);

-- not_arrived --
DELETE FROM sync.arrived WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s;

-- forget_arrived --
-- Those of runs that did not come so far as to load them, too.
DELETE FROM sync.arrived WHERE realm = %(realm)s AND module = %(module)s;
