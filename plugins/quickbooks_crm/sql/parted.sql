-- What a person has parted from the CRM.

-- let_try_again --
-- Who asks for a retry of what was parted lets it look for its CRM record again; an undo of the retry parts it again.
WITH again AS (
    DELETE FROM sync.unlinked
     USING sync.held
     WHERE (unlinked.realm, unlinked.module) = (%(realm)s, %(module)s)
       AND (held.realm, held.module, held.entity, held.id)
         = (unlinked.realm, unlinked.module, unlinked.entity, unlinked.id)
       AND held.reason = 'unlinked' AND held.reason = ANY (%(reasons)s)
 RETURNING unlinked.*
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
SELECT realm, %(run_id)s, module, 'unlinked', entity, id, '', to_jsonb(again.*) FROM again
ON CONFLICT DO NOTHING;

-- leave_alone --
-- What a person has parted from the CRM finds no record there by itself.
UPDATE incoming
   SET outcome = 'not_added', reason = 'unlinked', action = NULL,
       message = format('%%s has unlinked it from CRM record %%s.', parted.by_whom, parted.record_key)
  FROM (SELECT i.n, own.by_whom, own.record_key
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT by_whom, record_key FROM sync.unlinked
                WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id) LIMIT 1) AS own
         WHERE NOT i.linked
           AND EXISTS (SELECT FROM sync.unlinked WHERE realm = %(realm)s AND module = %(module)s)) AS parted
 WHERE parted.n = incoming.n;
