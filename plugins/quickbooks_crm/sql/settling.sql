-- What a person says of records that look the same, and what is left to say.

-- one_look --
-- Whoever looks is the only one, until the transaction ends; nobody waits for that.
SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm look', %(realm)s::text, %(module)s::text), 0));

-- forget --
DELETE FROM sync.alike WHERE realm = %(realm)s AND module = %(module)s;

-- keep --
INSERT INTO sync.alike (realm, module, place, by, keys, size)
VALUES (%(realm)s, %(module)s, %(place)s, %(by)s, %(keys)s, %(size)s);

-- looked --
INSERT INTO sync.looked (realm, module, by_whom) VALUES (%(realm)s, %(module)s, %(by_whom)s)
ON CONFLICT (realm, module) DO UPDATE SET by_whom = excluded.by_whom, looked_at = now();

-- last_look --
SELECT by_whom, looked_at FROM sync.looked WHERE realm = %(realm)s AND module = %(module)s;

-- groups --
-- Of each group those that are not yet told the same as, or different from, all others. No name says which record is which.
WITH part AS (
    SELECT place, by, keys, size FROM sync.alike
     WHERE realm = %(realm)s AND module = %(module)s AND settled_at IS NULL AND place > %(after)s
     ORDER BY place LIMIT %(limit)s
), told AS MATERIALIZED (
    SELECT told.record_key, told.other_key
      FROM (SELECT DISTINCT unnest(keys) AS key FROM part) AS named
     CROSS JOIN LATERAL (
           SELECT record_key, other_key FROM sync.different
            WHERE record_key = named.key AND other_key <> '' AND module = ANY (%(sharing)s) AND realm = %(realm)s
            UNION ALL
           SELECT record_key, other_key FROM sync.same
            WHERE realm = %(realm)s AND module = ANY (%(sharing)s) AND entity = '' AND id = '' AND record_key = named.key
            UNION ALL
           SELECT least(different.record_key, own.record_key), greatest(different.record_key, own.record_key)
             FROM sync.different AS different
            CROSS JOIN LATERAL (
                  SELECT record_key FROM sync.link
                   WHERE (realm, entity, id, module)
                       = (different.realm, different.entity, different.id, different.module) LIMIT 1) AS own
            WHERE different.record_key = named.key AND different.other_key = ''
              AND different.module = ANY (%(sharing)s) AND different.realm = %(realm)s) AS told
)
SELECT place, by, size - cardinality(part.keys) AS more,
       ARRAY (SELECT one FROM unnest(part.keys) WITH ORDINALITY AS member (one, number)
               WHERE EXISTS (SELECT FROM unnest(part.keys) AS other
                              WHERE other <> one
                                AND NOT EXISTS (SELECT FROM told
                                                 WHERE (told.record_key, told.other_key) = (least(one, other), greatest(one, other))))
               ORDER BY number) AS keys
  FROM part
 ORDER BY place;

-- group_left --
-- One group that is not settled, kept from others until this is.
SELECT keys FROM sync.alike
 WHERE realm = %(realm)s AND module = %(module)s AND place = %(place)s AND settled_at IS NULL
   FOR UPDATE;

-- settle_group --
UPDATE sync.alike SET settled_at = now() WHERE realm = %(realm)s AND module = %(module)s AND place = %(place)s;

-- unsettle_groups --
UPDATE sync.alike SET settled_at = NULL WHERE realm = %(realm)s AND module = %(module)s AND settled_at = %(since)s;

-- held --
-- QuickBooks records that are held back since CRM records are in their way, and that nobody has settled.
SELECT held.entity, held.id, held.outcome, held.reason, held.run_id, held.held_since,
       CASE WHEN held.candidates <> '{{}}' THEN held.candidates
            WHEN jsonb_typeof(told.details -> 'candidates') = 'array'
            THEN ARRAY (SELECT jsonb_array_elements_text(told.details -> 'candidates'))
            WHEN held.collides_with IS NOT NULL THEN ARRAY[held.collides_with] ELSE '{{}}' END AS candidates,
       coalesce(payload ->> 'DisplayName', payload ->> 'Name', payload ->> 'DocNumber') AS name
  FROM (SELECT * FROM sync.held AS waiting
         WHERE {waiting} AND (waiting.entity, waiting.id) > (%(after_entity)s, %(after_id)s)
         ORDER BY entity, id LIMIT %(limit)s) AS held
  LEFT JOIN LATERAL (
       SELECT details FROM sync.outcome
        WHERE (realm, run_id, module, entity, id) = (held.realm, held.run_id, held.module, held.entity, held.id) LIMIT 1) AS told ON true
  LEFT JOIN LATERAL (
       SELECT payload FROM quickbooks.record
        WHERE (realm, entity, id) = (held.realm, held.entity, held.id) LIMIT 1) AS record ON true
 ORDER BY held.entity, held.id;

-- waiting --
realm = %(realm)s AND module = %(module)s
   AND NOT due AND (outcome = 'duplicate' OR reason IN ('ambiguous_key', 'unlinked', 'undone')
                    OR (reason = 'refused_by_table' AND candidates <> '{{}}'))
   AND reason NOT IN ('unlinked', 'undone')
   AND NOT EXISTS (SELECT FROM sync.same
                    WHERE (same.realm, same.module, same.entity, same.id)
                        = (waiting.realm, waiting.module, waiting.entity, waiting.id))

-- left --
-- How much is left to say, counted up to a limit.
SELECT (SELECT count(*) FROM (SELECT FROM sync.held AS waiting WHERE {waiting} LIMIT %(most)s) AS counted) AS held,
       (SELECT count(*) FROM (SELECT FROM sync.alike
                               WHERE module = %(module)s AND realm = %(realm)s AND settled_at IS NULL LIMIT %(most)s) AS counted) AS alike;

-- lately --
-- What people said last; all that was said at once is taken back at once.
SELECT * FROM (
    SELECT 'different' AS what, since, by_whom, entity, id,
           array_agg(DISTINCT record_key) || array_remove(array_agg(DISTINCT other_key), '') AS keys
      FROM sync.different WHERE realm = %(realm)s AND module = %(module)s
     GROUP BY since, by_whom, entity, id
     UNION ALL
    SELECT 'same', since, by_whom, entity, id,
           array_agg(DISTINCT record_key) || array_remove(array_agg(DISTINCT other_key), '')
      FROM sync.same WHERE realm = %(realm)s AND module = %(module)s
     GROUP BY since, by_whom, entity, id
     UNION ALL
    SELECT 'linked', held.held_since, coalesce(told.by_whom, ''), held.entity, held.id, ARRAY[link.record_key]
      FROM sync.held AS held
      JOIN sync.link AS link
        ON (link.realm, link.entity, link.id, link.module) = (held.realm, held.entity, held.id, held.module)
      LEFT JOIN LATERAL (
           SELECT by_whom FROM sync.act
            WHERE details ->> 'record_key' = link.record_key AND details ? 'record_key' AND company = %(company_name)s
              AND kind = 'linked'
            ORDER BY act DESC LIMIT 1) AS told ON true
     WHERE held.realm = %(realm)s AND held.module = %(module)s AND held.due AND held.reason = 'linked'
       AND link.run_id = 'by hand') AS said
 ORDER BY since DESC
 LIMIT %(limit)s;
