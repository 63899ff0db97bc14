-- agreed --
-- Conflicts of fields that people do not edit any more, of records that are gone, and those that a person has ended by
-- writing what QuickBooks says: from then on the field follows QuickBooks again, though no sync wrote that.
WITH ended AS (
    DELETE FROM sync.conflict AS known
     WHERE known.realm = %(realm)s AND known.module = %(module)s
       AND (known.field <> ALL (%(columns)s::text[])
            OR NOT EXISTS (SELECT FROM {table} AS current
                            WHERE current.{key} = known.record_key::{key_type}
                              AND to_jsonb(current.*) -> known.field <> known.quickbooks))
    RETURNING entity, id, field, quickbooks
)
UPDATE sync.link
   SET written = link.written || agreed.fields,
       agreed = ARRAY (SELECT unnest(link.agreed) UNION SELECT jsonb_object_keys(agreed.fields)),
       said = nullif(link.said - ARRAY (SELECT jsonb_object_keys(agreed.fields)), '{{}}')
  FROM (SELECT entity, id, jsonb_object_agg(field, quickbooks) AS fields
          FROM ended WHERE field = ANY (%(columns)s::text[]) GROUP BY entity, id) AS agreed
 WHERE (link.realm, link.entity, link.id, link.module) = (%(realm)s, agreed.entity, agreed.id, %(module)s);

-- edited --
({name}, coalesce({untouched}, 'null'))

-- default_stays --
-- A column's default that no sync has written stays where QuickBooks has nothing, as any such value does.
UPDATE incoming AS i
   SET image = i.image || own.held, kept = i.kept || own.fields
  FROM (SELECT i.n, jsonb_object_agg(field, i.before -> field) AS held, array_agg(field) AS fields
          FROM incoming AS i
         CROSS JOIN (VALUES {edited}) AS edited (field, unedited)
         WHERE i.action = 'update' AND i.state <> 'deleted'
           AND ((i.written ? field) IS NOT TRUE OR field = ANY (i.known_agreed) AND {blanks_stay})
           AND i.image -> field = 'null' AND i.before -> field = unedited
         GROUP BY i.n) AS own
 WHERE own.n = i.n;

-- three_way --
-- A field whose value is not what the sync wrote last, or that had one of its own before the first sync, is a person's; and
-- for a blank one that the sync had only found there. When QuickBooks' value is not what it was either, neither as it was said
-- nor as the table had stored it, that is a conflict; an object that was written as a text once is what it was. What the sync
-- wrote last stays known: later changes are judged by it.
UPDATE incoming AS i
   SET image = i.image || own.held, base = own.base, conflicts = own.conflicts
  FROM (SELECT i.n,
               jsonb_object_agg(field, i.before -> field) AS held,
               jsonb_object_agg(field, CASE WHEN i.written ? field THEN i.written -> field ELSE i.image -> field END) AS base,
               jsonb_agg(jsonb_build_object('field', field, 'crm', i.before -> field, 'quickbooks', i.image -> field))
                   FILTER (WHERE i.written ? field AND i.written -> field <> i.image -> field
                                 AND i.written ->> field IS DISTINCT FROM i.image ->> field
                                 AND i.known_said -> field IS DISTINCT FROM i.image -> field) AS conflicts
          FROM incoming AS i
         CROSS JOIN (VALUES {edited}) AS edited (field, unedited)
         WHERE i.action = 'update' AND i.state <> 'deleted'
           AND i.image -> field <> i.before -> field
           AND CASE WHEN i.written ? field
                    THEN i.before -> field <> i.written -> field
                         OR i.image -> field = 'null' AND field = ANY (i.known_agreed) AND {blanks_stay}
                    ELSE i.before -> field NOT IN ('null', unedited) END
         GROUP BY i.n) AS own
 WHERE own.n = i.n;

-- remember --
-- Where only flags are written, as of what was deleted: what the sync wrote last into the other fields stays known, too.
UPDATE incoming AS i
   SET base = own.base
  FROM (SELECT i.n, jsonb_object_agg(field, i.written -> field) AS base
          FROM incoming AS i
         CROSS JOIN unnest(%(columns)s::text[]) AS edited (field)
         WHERE i.action = 'update' AND (i.state = 'deleted' OR %(mode)s <> 'merge') AND i.written ? field
           AND i.written -> field <> i.before -> field AND NOT i.fields ? field
         GROUP BY i.n) AS own
 WHERE own.n = i.n;

-- said --
-- What QuickBooks says of these fields where the table has made something else of it. Of those that stay a person's, or of which
-- nothing is said, it is what it was.
UPDATE incoming
   SET known_said = told.said
  FROM (SELECT i.n, i.known_said AS said_before, nullif(own.said, '{{}}') AS said
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT coalesce(i.image, (SELECT {image} FROM jsonb_to_record(i.fields) AS new ({record}))) AS image OFFSET 0) AS raw
         CROSS JOIN LATERAL (
               SELECT jsonb_object_agg(field, told.value) FILTER (WHERE told.value IS NOT NULL) AS said
                 FROM unnest(%(columns)s::text[]) AS edited (field)
                CROSS JOIN LATERAL (
                      SELECT CASE WHEN i.base ? field OR NOT i.fields ? field THEN i.known_said -> field
                                  WHEN raw.image -> field <> i.after -> field AND field <> ALL (coalesce(i.kept, '{{}}'))
                                  THEN raw.image -> field END AS value) AS told) AS own
         WHERE i.outcome IN ('added', 'updated', 'unchanged') AND i.after IS NOT NULL) AS told
 WHERE told.n = incoming.n AND told.said IS DISTINCT FROM told.said_before;

-- base --
-- What QuickBooks says of a record in conflict is not what the CRM was given: it counts as unread, so that reading it again
-- looks at both sides again, and the person may have taken the edit back.
UPDATE sync.link
   SET written = link.written || known.base,
       agreed = nullif(ARRAY (SELECT unnest(link.agreed) EXCEPT SELECT jsonb_object_keys(known.base)
                               UNION
                              SELECT field FROM jsonb_object_keys(known.base) AS field
                               WHERE (field = ANY (known.agreed) OR (known.written ? field) IS NOT TRUE)
                                 AND (known.state = 'active' OR field <> ALL (%(flags)s::text[]))), '{}'),
       source_hash = CASE WHEN known.conflicts IS NULL THEN link.source_hash ELSE 'in conflict' END
  FROM (SELECT own.ctid AS place, i.base, i.conflicts, i.written, i.known_agreed AS agreed, i.state
          FROM incoming AS i
         CROSS JOIN LATERAL (
               SELECT ctid FROM sync.link
                WHERE (realm, entity, id, module) = (%(realm)s, i.entity, i.id, %(module)s) LIMIT 1) AS own
         WHERE i.base IS NOT NULL AND i.outcome IN ('updated', 'unchanged')) AS known
 WHERE link.ctid = known.place;

-- conflicts --
-- A conflict that is known already is not told again.
WITH fresh AS (
    INSERT INTO sync.conflict AS known (realm, module, entity, id, field, record_key, crm, quickbooks, run_id)
    SELECT %(realm)s, %(module)s, i.entity, i.id, conflict ->> 'field', i.record_key, conflict -> 'crm', conflict -> 'quickbooks',
           %(run_id)s
      FROM incoming AS i
     CROSS JOIN LATERAL jsonb_array_elements(i.conflicts) AS conflict
     WHERE i.outcome IN ('updated', 'unchanged')
    ON CONFLICT (realm, module, entity, id, field) DO UPDATE
       SET record_key = excluded.record_key, crm = excluded.crm, quickbooks = excluded.quickbooks,
           run_id = excluded.run_id, since = now()
     WHERE (known.record_key, known.crm, known.quickbooks) IS DISTINCT FROM (excluded.record_key, excluded.crm, excluded.quickbooks)
    RETURNING entity, id, field, crm, quickbooks
)
UPDATE incoming AS i
   SET notes = coalesce(i.notes, '[]') || told.notes
  FROM (SELECT entity, id,
               jsonb_agg(jsonb_build_object('reason', 'conflict', 'field', field, 'label', %(labels)s::jsonb -> field,
                                            'value', quickbooks, 'crm', crm,
                                            'rule', 'has changed in QuickBooks after a person changed it in the CRM')
                         ORDER BY field) AS notes
          FROM fresh GROUP BY entity, id) AS told
 WHERE (i.entity, i.id) = (told.entity, told.id);

-- told --
-- The records with conflicts that this run has found.
SELECT count(*), coalesce((array_agg(known.id ORDER BY known.id))[1:10], '{}')
  FROM (SELECT DISTINCT entity, id FROM sync.conflict
         WHERE realm = %(realm)s AND run_id = %(run_id)s AND module = %(module)s) AS known;

-- over --
-- Conflicts of records that were read just now and have none any more.
DELETE FROM sync.conflict AS known
 USING incoming AS i
 WHERE (known.realm, known.module, known.entity, known.id) = (%(realm)s, %(module)s, i.entity, i.id)
   AND i.outcome IN ('updated', 'unchanged') AND i.action IS NULL
   AND NOT coalesce(i.conflicts, '[]') @> jsonb_build_array(jsonb_build_object('field', known.field));
