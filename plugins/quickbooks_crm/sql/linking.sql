-- What people settle about links: this QuickBooks record is that CRM record, is none, or is another.

-- in_the_mirror --
SELECT deleted FROM quickbooks.record WHERE (realm, entity, id) = (%(realm)s, %(entity)s, %(id)s);

-- is_erased --
SELECT FROM sync.erased WHERE (realm, entity, id) = (%(realm)s, %(entity)s, %(id)s);

-- in_the_crm --
-- The CRM record, if it is one of this company or of none.
SELECT current.{key}::text
  FROM {table} AS current
 WHERE current.{key} = %(record_key)s::text::{key_type} AND {scope};

-- in_scope --
(current.{company} IS NULL OR current.{company}::text = %(company)s)

-- everywhere --
true

-- is_excluded --
-- Only a mapping excludes also what is linked.
SELECT FROM sync.held
 WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s)
   AND reason = 'excluded_by_mapping';

-- link_of --
SELECT record_key FROM sync.link WHERE (realm, entity, id, module) = (%(realm)s, %(entity)s, %(id)s, %(module)s);

-- linked_to --
-- The other QuickBooks record that a CRM record is, and whether it is one of another company.
SELECT entity, id, realm <> %(realm)s FROM sync.link
 WHERE record_key = %(record_key)s AND module = ANY (%(sharing)s)
   AND (realm, entity, id, module) <> (%(realm)s, %(entity)s, %(id)s, %(module)s)
 LIMIT 1;

-- moves --
-- What refers to it, and was led to a CRM record, is to be led to another.
INSERT INTO sync.moved (realm, module, entity, id)
SELECT realm, module, entity, id FROM sync.target
 WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s)
ON CONFLICT DO NOTHING;

-- link --
-- Nothing of it was written by a sync yet, so that what people entered stays where QuickBooks has nothing.
INSERT INTO sync.link (realm, entity, id, module, record_key, source_hash, written, run_id)
VALUES (%(realm)s, %(entity)s, %(id)s, %(module)s, %(record_key)s, '', '{}', 'by hand')
ON CONFLICT (realm, entity, id, module) DO UPDATE
   SET record_key = excluded.record_key, source_hash = excluded.source_hash, written = excluded.written,
       agreed = excluded.agreed, said = excluded.said, state = excluded.state, run_id = excluded.run_id;

-- unlink --
DELETE FROM sync.link WHERE (realm, entity, id, module) = (%(realm)s, %(entity)s, %(id)s, %(module)s);

-- wait_no_more --
DELETE FROM sync.parked WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s);

-- in_conflict_no_more --
DELETE FROM sync.conflict WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s);

-- part --
INSERT INTO sync.unlinked (realm, module, entity, id, record_key, by_whom)
VALUES (%(realm)s, %(module)s, %(entity)s, %(id)s, %(record_key)s, %(by_whom)s)
ON CONFLICT (realm, module, entity, id) DO UPDATE
   SET record_key = excluded.record_key, by_whom = excluded.by_whom, since = now();

-- is_parted --
SELECT FROM sync.unlinked WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s);

-- take_id_out --
-- The QuickBooks id in a CRM record that no QuickBooks record is.
UPDATE {table} AS current SET {column} = NULL
 WHERE current.{key} = %(record_key)s::text::{key_type}
   AND {typed_id} = sync.normal(%(id)s) AND {kind}
   AND NOT EXISTS (SELECT FROM sync.link WHERE record_key = %(record_key)s AND module = ANY (%(sharing)s));

-- forget_parted --
DELETE FROM sync.former
 WHERE (realm, run_id, module, kind, entity, id) = (%(realm)s, 'by hand', %(module)s, 'unlinked', %(entity)s, %(id)s);

-- no_longer_parted --
-- Kept, so that it is parted again when the link is taken back.
WITH off AS (
    DELETE FROM sync.unlinked WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s)
 RETURNING unlinked.*
)
INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
SELECT realm, 'by hand', module, 'unlinked', entity, id, '', to_jsonb(off.*) FROM off;

-- part_again --
INSERT INTO sync.unlinked
SELECT was.*
  FROM sync.former AS former
 CROSS JOIN LATERAL jsonb_populate_record(NULL::sync.unlinked, former.was) AS was
 WHERE (former.realm, former.run_id, former.module, former.kind, former.entity, former.id)
     = (%(realm)s, 'by hand', %(module)s, 'unlinked', %(entity)s, %(id)s)
ON CONFLICT DO NOTHING;

-- hold --
-- Held back, or due for the next load.
INSERT INTO sync.held AS known (realm, module, entity, id, outcome, reason, mapping_hash, run_id, due)
VALUES (%(realm)s, %(module)s, %(entity)s, %(id)s, 'not_added', %(reason)s, %(hash)s, 'by hand', %(due)s)
ON CONFLICT (realm, module, entity, id) DO UPDATE
   SET outcome = excluded.outcome, reason = excluded.reason, collides_with = NULL, candidates = '{}', cause = NULL,
       mapping_hash = excluded.mapping_hash, run_id = excluded.run_id, due = excluded.due, held_since = now();

-- try_again --
UPDATE sync.held SET due = true WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s);

-- no_duplicate --
UPDATE sync.held SET collides_with = NULL
 WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, %(entity)s, %(id)s) AND collides_with = %(record_key)s;

-- tell_apart --
INSERT INTO sync.different (realm, module, entity, id, record_key, other_key, by_whom)
VALUES (%(realm)s, %(module)s, %(entity)s, %(id)s, %(record_key)s, %(other_key)s, %(by_whom)s)
ON CONFLICT DO NOTHING;

-- say_same --
INSERT INTO sync.same (realm, module, entity, id, record_key, other_key, by_whom)
VALUES (%(realm)s, %(module)s, %(entity)s, %(id)s, %(record_key)s, %(other_key)s, %(by_whom)s)
ON CONFLICT DO NOTHING;

-- no_longer_different --
DELETE FROM sync.different WHERE realm = %(realm)s AND module = %(module)s AND since = %(since)s
RETURNING entity, id, record_key, other_key;

-- no_longer_same --
DELETE FROM sync.same WHERE realm = %(realm)s AND module = %(module)s AND since = %(since)s
RETURNING entity, id, record_key, other_key;

-- no_longer_linked --
-- Only what no sync has brought up to date yet.
DELETE FROM sync.link
 USING sync.held AS held
 WHERE (held.realm, held.module, held.entity, held.id) = (link.realm, link.module, link.entity, link.id)
   AND link.realm = %(realm)s AND link.module = %(module)s AND link.run_id = 'by hand'
   AND held.due AND held.reason = 'linked' AND held.held_since = %(since)s
RETURNING link.entity, link.id, link.record_key, '';
