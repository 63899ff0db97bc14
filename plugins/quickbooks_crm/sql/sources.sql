-- QuickBooks records that a CRM record may be: found in the mirror by bounded looks, since names have no index there.

-- candidates --
-- What is known of QuickBooks records: their name, and what became of them in a module.
SELECT asked.entity, asked.id, record.name, record.state, own.record_key, held.outcome, held.reason
  FROM unnest(%(asked_entities)s::text[], %(ids)s::text[]) WITH ORDINALITY AS asked (entity, id, place)
 CROSS JOIN LATERAL (
       SELECT coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name,
              sync.state_in_quickbooks(deleted, payload) AS state
         FROM quickbooks.record
        WHERE (realm, entity, id) = (%(realm)s, asked.entity, asked.id) LIMIT 1) AS record
  LEFT JOIN LATERAL (
       SELECT record_key FROM sync.link
        WHERE (realm, entity, id, module) = (%(realm)s, asked.entity, asked.id, %(module)s) LIMIT 1) AS own ON true
  LEFT JOIN LATERAL (
       SELECT outcome, reason FROM sync.held
        WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, asked.entity, asked.id) LIMIT 1) AS held ON true
 WHERE NOT EXISTS (SELECT FROM sync.erased WHERE (realm, entity, id) = (%(realm)s, asked.entity, asked.id))
 ORDER BY asked.place;

-- with_id --
SELECT entity, id FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = ANY (%(entities)s) AND id = %(text)s;

-- held_named --
-- Those that are not in the CRM, by what is in their names, of the first so many.
SELECT held.entity, held.id
  FROM (SELECT entity, id FROM sync.held
         WHERE realm = %(realm)s AND module = %(module)s
         ORDER BY entity, id LIMIT %(looked)s) AS held
 CROSS JOIN LATERAL (
       SELECT coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name
         FROM quickbooks.record
        WHERE (realm, entity, id) = (%(realm)s, held.entity, held.id) LIMIT 1) AS record
 WHERE strpos(sync.normal(record.name), sync.normal(%(text)s)) > 0
 LIMIT %(limit)s;

-- in_its_way --
-- Those that are held back since a CRM record is in their way, of the first so many.
SELECT held.entity, held.id
  FROM (SELECT entity, id, collides_with, candidates FROM sync.held
         WHERE realm = %(realm)s AND module = %(module)s
           AND NOT due AND (outcome = 'duplicate' OR reason IN ('ambiguous_key', 'unlinked', 'undone')
                            OR (reason = 'refused_by_table' AND candidates <> '{}'))
         ORDER BY entity, id LIMIT %(looked)s) AS held
 WHERE held.collides_with = %(key)s OR %(key)s = ANY (held.candidates)
UNION
SELECT entity, id FROM sync.unlinked
 WHERE realm = %(realm)s AND module = %(module)s AND record_key = %(key)s
 LIMIT %(limit)s;

-- picked --
SELECT entity, id, sync.state_in_quickbooks(deleted, payload) AS state {paths}
  FROM (SELECT entity, id, deleted, payload FROM quickbooks.record
         WHERE (realm, entity, id) = (%(realm)s, %(entity)s, %(id)s)) AS wanted;

-- as_the_table_has_it --
SELECT to_jsonb(new) FROM jsonb_to_record(%(fields)s) AS new ({record});

-- meant --
-- The CRM record that a reference to a QuickBooks record means.
SELECT record_key FROM sync.target
 WHERE (realm, module, entity, id) = (%(realm)s, %(target_module)s, %(target_entity)s, %(target_id)s) LIMIT 1;
