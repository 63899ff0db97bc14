-- Stored versions of mappings, and which is in force.

-- one_writer --
-- Whoever stores or puts in force for a company waits for the others who do.
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', 'quickbooks_crm mappings', %(company)s::text), 0));

-- newest --
-- The newest version of each module of a company: by the index from module to module, however many versions there are.
WITH RECURSIVE known (module) AS (
    (SELECT module FROM sync.mapping_version WHERE company = %(company)s ORDER BY module LIMIT 1)
    UNION ALL
    SELECT next.module FROM known CROSS JOIN LATERAL (
           SELECT module FROM sync.mapping_version
            WHERE company = %(company)s AND module > known.module ORDER BY module LIMIT 1) AS next
)
SELECT last.*
  FROM known CROSS JOIN LATERAL (
       SELECT company, module, version, content, hash, made_by, made_at, origin, note
         FROM sync.mapping_version
        WHERE company = %(company)s AND module = known.module ORDER BY version DESC LIMIT 1) AS last;

-- store --
INSERT INTO sync.mapping_version (company, module, version, content, hash, made_by, origin, note)
SELECT %(company)s, %(module)s, coalesce(max(version), 0) + 1, %(content)s, %(hash)s, %(made_by)s, %(origin)s, %(note)s
  FROM sync.mapping_version
 WHERE company = %(company)s AND module = %(module)s
RETURNING company, module, version, content, hash, made_by, made_at, origin, note;

-- versions --
-- Versions of a module, newest first.
SELECT company, module, version, content, hash, made_by, made_at, origin, note
  FROM sync.mapping_version
 WHERE company = %(company)s AND module = %(module)s AND version < %(before)s::bigint
 ORDER BY version DESC
 LIMIT %(limit)s;

-- version --
SELECT company, module, version, content, hash, made_by, made_at, origin, note
  FROM sync.mapping_version
 WHERE company = %(company)s AND module = %(module)s AND version = %(version)s;

-- choices --
-- The last choice for each module of a company.
WITH RECURSIVE known (module) AS (
    (SELECT module FROM sync.mapping_choice WHERE company = %(company)s ORDER BY module LIMIT 1)
    UNION ALL
    SELECT next.module FROM known CROSS JOIN LATERAL (
           SELECT module FROM sync.mapping_choice
            WHERE company = %(company)s AND module > known.module ORDER BY module LIMIT 1) AS next
)
SELECT last.*
  FROM known CROSS JOIN LATERAL (
       SELECT module, choice, version, file_hash, chosen_by, chosen_at
         FROM sync.mapping_choice
        WHERE company = %(company)s AND module = known.module ORDER BY choice DESC LIMIT 1) AS last;

-- choose --
INSERT INTO sync.mapping_choice (company, module, choice, version, file_hash, chosen_by)
SELECT %(company)s, %(module)s, coalesce(max(choice), 0) + 1, %(version)s, %(file_hash)s, %(chosen_by)s
  FROM sync.mapping_choice
 WHERE company = %(company)s AND module = %(module)s;

-- offer --
-- The last offer of a module is the one that counts.
INSERT INTO sync.mapping_offer (company, module, version, choice, offered_by)
SELECT %(company)s, %(module)s, %(version)s, coalesce(max(choice), 0), %(offered_by)s
  FROM sync.mapping_choice
 WHERE company = %(company)s AND module = %(module)s
    ON CONFLICT (company, module) DO UPDATE
   SET version = excluded.version, choice = excluded.choice, offered_by = excluded.offered_by, offered_at = now();

-- offered --
-- The versions that may be previewed now: offered lately, and nothing was put in force since.
SELECT module, version
  FROM sync.mapping_offer AS offer
 WHERE company = %(company)s
   AND offered_at > now() - %(good_for)s::interval
   AND choice = (SELECT coalesce(max(choice), 0) FROM sync.mapping_choice AS made
                  WHERE made.company = offer.company AND made.module = offer.module);

-- withdraw --
DELETE FROM sync.mapping_offer WHERE company = %(company)s AND module = %(module)s AND version = %(version)s;

-- drafts --
SELECT drafts, started_by FROM sync.run WHERE realm = %(realm)s AND run_id = %(run_id)s;

-- note_drafts --
UPDATE sync.run SET drafts = %(drafts)s WHERE realm = %(realm)s AND run_id = %(run_id)s;
