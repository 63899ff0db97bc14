-- Judging what a load is about to commit, from the rows of its transaction.

-- hits --
-- What may be an accident, counted. A record that was held back before and still is, is no news. One that is merged into another
-- becomes inactive, too.
SELECT count(*) FILTER (WHERE outcome = 'updated' AND flag = 'deleted') AS deleted,
       count(*) FILTER (WHERE outcome = 'updated' AND (flag = 'deactivated' OR flag = 'merged' AND known_state = 'active'))
           AS deactivated,
       count(*) FILTER (WHERE outcome = 'updated' AND linked AND coalesce(flag, '') NOT IN ('deleted', 'deactivated', 'merged'))
           AS changed,
       count(*) FILTER (WHERE outcome = 'not_added') AS refused,
       count(*) AS read
  FROM incoming AS i
 WHERE NOT (i.outcome = 'not_added'
            AND EXISTS (SELECT FROM sync.held
                         WHERE (realm, module, entity, id) = (%(realm)s, %(module)s, i.entity, i.id)
                           AND held.outcome = 'not_added' OFFSET 0));

-- links --
-- How many CRM records of the module QuickBooks has filled, and how many of these it has not deleted since.
SELECT count(*) AS linked, count(*) FILTER (WHERE state <> 'deleted') AS live
  FROM sync.link
 WHERE realm = %(realm)s
   AND module = %(module)s;

-- mapping_changed --
SELECT EXISTS (SELECT FROM sync.module_position
                WHERE realm = %(realm)s AND module = %(module)s AND mapping_hash <> %(hash)s) AS so;

-- cleared --
-- Of each field, of how many changed records the CRM had a value, and of how many of these it would have none; of lines, of how
-- many documents some line had one. Lines that go altogether are a field of their document. A flag that is taken off is no field
-- that is cleared.
SELECT jsonb_object_agg(field, jsonb_build_array(lost, had)) AS fields
  FROM (SELECT field, count(*) FILTER (WHERE NOT has) AS lost, count(*) AS had
          FROM incoming AS i
         CROSS JOIN LATERAL (SELECT i.before || '{}' AS before, i.after || '{}' AS after OFFSET 0) AS once
         CROSS JOIN LATERAL (
               SELECT CASE key WHEN '@lines' THEN 'lines' ELSE key END AS field,
                      coalesce(once.after -> key, 'null') NOT IN ('null', '[]') AS has
                 FROM jsonb_each(once.before)
                WHERE value NOT IN ('null', '[]') AND (i.flag IS NULL OR key <> ALL (%(flags)s::text[]))
                UNION ALL
               SELECT 'lines.' || old.key,
                      EXISTS (SELECT FROM jsonb_array_elements(once.after -> '@lines') AS line
                               WHERE coalesce(line -> old.key, 'null') <> 'null')
                 FROM (SELECT DISTINCT own.key
                         FROM jsonb_array_elements(once.before -> '@lines') AS line
                        CROSS JOIN LATERAL jsonb_each(line) AS own
                        WHERE own.value <> 'null') AS old
                WHERE once.after -> '@lines' <> '[]') AS said
         WHERE i.outcome = 'updated' AND i.linked AND coalesce(i.flag, '') NOT IN ('deleted', 'deactivated', 'merged')
         GROUP BY field) AS counted
 WHERE lost > 0;

-- covered --
-- Whether a person has let these deletes pass before, when they came into the mirror.
SELECT coalesce(sum(used.count), 0) * 11 >= %(count)s::bigint * 10 AS so
  FROM sync.breaker AS used
 WHERE used.realm = %(realm)s
   AND used.ended = 'used'
   AND used.code IN ('mass_delete', 'empty_source')
   AND used.subject = ANY (%(entities)s)
   AND EXISTS (SELECT FROM sync.generation AS written
                WHERE written.realm = used.realm
                  AND written.run_id = used.ended_in
                  AND written.generation > %(position)s
                  AND written.generation <= %(generation)s);

-- gone_details --
-- The first records that would become deleted or inactive.
SELECT jsonb_build_object('records', coalesce(jsonb_agg(
           jsonb_build_object('entity', entity, 'id', id, 'crm', record_key, 'becomes',
                              CASE flag WHEN 'deleted' THEN flag ELSE 'inactive' END) ORDER BY n), '[]')) AS details
  FROM (SELECT n, entity, id, record_key, flag
          FROM incoming
         WHERE outcome = 'updated' AND (flag IN ('deleted', 'deactivated') OR flag = 'merged' AND known_state = 'active')
         ORDER BY n
         LIMIT 20) AS first;

-- changed_details --
-- Which columns would change in how many records, and the first of these. The image from before is fetched once a record,
-- not once a column.
SELECT jsonb_build_object('columns', (
           SELECT jsonb_object_agg(key, count)
             FROM (SELECT new.key, count(*) AS count
                     FROM incoming AS i
                    CROSS JOIN LATERAL (SELECT i.before || '{}' AS before OFFSET 0) AS once
                    CROSS JOIN LATERAL jsonb_each(i.after) AS new
                    WHERE i.outcome = 'updated' AND i.linked AND coalesce(i.flag, '') NOT IN ('deleted', 'deactivated', 'merged')
                      AND once.before -> new.key IS DISTINCT FROM new.value
                    GROUP BY new.key) AS changed),
       'records', coalesce(jsonb_agg(
           jsonb_build_object('entity', entity, 'id', id, 'crm', record_key) ORDER BY n), '[]')) AS details
  FROM (SELECT n, entity, id, record_key
          FROM incoming
         WHERE outcome = 'updated' AND linked AND coalesce(flag, '') NOT IN ('deleted', 'deactivated', 'merged')
         ORDER BY n
         LIMIT 20) AS first;

-- refused_details --
-- How many for which reason, and the first with what was said of them.
SELECT jsonb_build_object('reasons', (
           SELECT jsonb_object_agg(reason, count)
             FROM (SELECT reason, count(*) AS count
                     FROM incoming
                    WHERE outcome = 'not_added'
                    GROUP BY reason) AS counted),
       'records', coalesce(jsonb_agg(
           jsonb_build_object('entity', entity, 'id', id, 'reason', reason, 'message', message) ORDER BY n), '[]')) AS details
  FROM (SELECT n, entity, id, reason, message
          FROM incoming
         WHERE outcome = 'not_added'
         ORDER BY n
         LIMIT 20) AS first;
