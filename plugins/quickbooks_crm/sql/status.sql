-- login --
-- How long a company's login lasts: 100 days without a use, and five years in any case.
SELECT state, updated_at AS since, connected_at, unused_until, hard_until,
       least(unused_until, hard_until) AS good_until,
       least(unused_until, hard_until) < now() + interval '14 days' AS ends_soon
  FROM sync.token,
       LATERAL (SELECT refresh_expires_at AS unused_until,
                       coalesce(hard_expires_at, connected_at + interval '5 years') AS hard_until) AS ends
 WHERE realm = %(realm)s
   AND seed_hash IS NOT NULL;

-- bound --
SELECT realm, environment, name, created_at FROM sync.company WHERE company = %(company)s;

-- last_sync --
SELECT max(finished_at) FROM sync.run WHERE realm = %(realm)s AND kind = 'sync' AND state = 'success';

-- loaded --
-- When each module was last loaded into the CRM, with which mapping, and whether an earlier one has left records there
-- that no replay has brought to it.
SELECT module, loaded_at, mapping_hash,
       EXISTS (SELECT FROM sync.replay WHERE replay.realm = position.realm AND replay.module = position.module) AS replay_due,
       EXISTS (SELECT FROM unnest(%(modules)s::text[], %(entities)s::text[]) AS made_of (module, entity)
                CROSS JOIN LATERAL (
                      SELECT FROM sync.link
                       WHERE link.realm = position.realm AND link.entity = made_of.entity AND link.module = position.module
                       LIMIT 1) AS one
                WHERE made_of.module = position.module) AS in_crm
  FROM sync.module_position AS position
 WHERE realm = %(realm)s;

-- read --
-- Everything that QuickBooks had until then is in the mirror.
SELECT entity, changed_since FROM sync.entity_position WHERE realm = %(realm)s ORDER BY entity;
