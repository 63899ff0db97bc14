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
-- What the loaded records show of others, each of which is looked up once. What changed after this generation counts as not
-- seen yet.
WITH named AS MATERIALIZED (
    SELECT i.entity, i.id, shows.id AS shown
      FROM incoming AS i
     CROSS JOIN LATERAL (
           SELECT {id} AS id
             FROM (SELECT payload FROM quickbooks.record
                    WHERE (realm, entity, id) = (%(realm)s, i.entity, i.id) LIMIT 1) AS record
            CROSS JOIN LATERAL {source} AS source
           OFFSET 0) AS shows
     WHERE i.state <> 'deleted' AND shows.id IS NOT NULL
), known AS MATERIALIZED (
    SELECT other.shown, (SELECT payload #>> {show} FROM quickbooks.record
                          WHERE (realm, entity, id) = (%(realm)s, {entity}, other.shown) AND generation <= %(generation)s LIMIT 1) AS value
      FROM (SELECT DISTINCT shown FROM named ORDER BY shown OFFSET 0) AS other
)
INSERT INTO sync.shown (realm, module, entity, id, shown_entity, shown_id, show, value)
SELECT %(realm)s, %(module)s, named.entity, named.id, {entity}, shown, {show}, known.value
  FROM named
  JOIN known USING (shown)
ON CONFLICT DO NOTHING;

-- itself --
(SELECT record.payload)

-- its_lines --
sync.lines(record.payload -> {list})
