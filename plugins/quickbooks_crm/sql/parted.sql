-- What a person has parted from the CRM.

-- let_try_again --
-- Who asks for a retry of what was parted lets it look for its CRM record again.
DELETE FROM sync.unlinked
 USING sync.held
 WHERE (unlinked.realm, unlinked.module) = (%(realm)s, %(module)s)
   AND (held.realm, held.module, held.entity, held.id)
     = (unlinked.realm, unlinked.module, unlinked.entity, unlinked.id)
   AND held.reason = 'unlinked' AND held.reason = ANY (%(reasons)s);

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
