-- forget --
-- Each row looks its own entries up, so that the work stays as small as the batch.
DELETE FROM sync.shown
 WHERE EXISTS (SELECT FROM sync.shown WHERE realm = %(realm)s AND module = %(module)s)
   AND ctid = ANY (ARRAY (
       SELECT known.ctid
         FROM incoming AS i
        CROSS JOIN LATERAL (
              SELECT ctid FROM sync.shown
               WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id)
              OFFSET 0) AS known));

-- remember --
-- What the loaded records show of others. What changed after this generation counts as not seen yet.
INSERT INTO sync.shown (realm, module, entity, id, shown_entity, shown_id, show, value)
SELECT %(realm)s, %(module)s, i.entity, i.id, {entity}, named.id, {show}, other.value
  FROM incoming AS i
 CROSS JOIN LATERAL (
       SELECT payload FROM quickbooks.record
        WHERE (realm, entity, id) = (%(realm)s, i.entity, i.id) LIMIT 1) AS record
 CROSS JOIN LATERAL {source} AS source
 CROSS JOIN LATERAL (SELECT {id} AS id) AS named
  LEFT JOIN LATERAL (
       SELECT payload #>> {show} AS value FROM quickbooks.record
        WHERE (realm, entity, id) = (%(realm)s, {entity}, named.id) AND generation <= %(generation)s LIMIT 1) AS other ON true
 WHERE named.id IS NOT NULL AND i.state <> 'deleted'
ON CONFLICT DO NOTHING;

-- itself --
(SELECT record.payload)

-- its_lines --
sync.lines(record.payload -> {list})
