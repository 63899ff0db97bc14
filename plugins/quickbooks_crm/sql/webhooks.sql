-- only_briefly --
-- Intuit waits three seconds for an answer.
SELECT set_config('statement_timeout', %(milliseconds)s, false);

-- store --
-- Keep the events of companies that are known here, each once; how many came, are of such companies, and are new.
WITH told AS (
    SELECT * FROM jsonb_to_recordset(%(events)s::jsonb)
        AS event (realm text, event_id text, entity text, id text, operation text, merged_id text, occurred_at timestamptz)
), ours AS (
    SELECT told.* FROM told JOIN sync.lease AS known USING (realm)
), stored AS (
    INSERT INTO sync.webhook_event (realm, event_id, entity, id, operation, merged_id, occurred_at)
    SELECT realm, event_id, entity, id, operation, merged_id, occurred_at FROM ours
    ON CONFLICT DO NOTHING
    RETURNING event_id
)
SELECT (SELECT count(*) FROM told), (SELECT count(*) FROM ours), (SELECT count(*) FROM stored);

-- store_unread --
INSERT INTO sync.webhook_unread (sha256, bytes, reason) VALUES (%(sha256)s, %(bytes)s, %(reason)s)
ON CONFLICT DO NOTHING;

-- count --
INSERT INTO sync.webhook_count AS kept (what, count) VALUES (%(what)s, %(count)s)
ON CONFLICT (day, what) DO UPDATE SET count = kept.count + excluded.count, last_at = now();

-- forget_events --
-- Some at a time: deliveries wait meanwhile.
DELETE FROM sync.webhook_event
 WHERE (realm, event_id) IN (SELECT realm, event_id FROM sync.webhook_event
                              WHERE received_at < now() - interval '30 days' ORDER BY received_at LIMIT 5000);

-- forget_unread --
DELETE FROM sync.webhook_unread WHERE received_at < now() - interval '30 days';

-- forget_counts --
DELETE FROM sync.webhook_count WHERE day < current_date - 90;

-- waiting --
-- Companies that were told of changes, in entities that they read, after the last sync began that has not failed; how many,
-- when their last sync began, whatever became of it, and how many have failed since one went well.
SELECT company.company, told.count, last.started_at, failed.count
  FROM (SELECT company, array_agg(realm) AS realms FROM sync.lease WHERE company IS NOT NULL GROUP BY company) AS company
 CROSS JOIN LATERAL (SELECT max(run.started_at) AS started_at FROM sync.run AS run
                      WHERE run.company = company.company AND run.kind = 'sync') AS last
 CROSS JOIN LATERAL (SELECT coalesce(max(run.started_at), '-infinity') AS started_at FROM sync.run AS run
                      WHERE run.company = company.company AND run.kind = 'sync' AND run.state <> 'failed') AS seen
 CROSS JOIN LATERAL (SELECT count(*) FROM sync.run AS run
                      WHERE run.company = company.company AND run.kind = 'sync' AND run.started_at > seen.started_at) AS failed
 CROSS JOIN LATERAL (
       SELECT (SELECT count(*) FROM sync.webhook_event AS event
                WHERE event.realm = ANY (company.realms) AND event.received_at > seen.started_at
                  AND EXISTS (SELECT FROM sync.entity_position AS read
                               WHERE read.realm = event.realm AND lower(read.entity) = event.entity))
            + (SELECT count(*) FROM sync.webhook_unread WHERE received_at > seen.started_at) AS count) AS told
 WHERE told.count > 0 AND last.started_at IS NOT NULL;

-- answered --
-- When deliveries last ended in each way, and how often in the last day or two.
SELECT what, max(last_at), sum(count) FILTER (WHERE day >= current_date - 1),
       max(last_at) > now() - interval '1 day'
  FROM sync.webhook_count
 GROUP BY what;

-- let_see_schema --
GRANT USAGE ON SCHEMA sync TO {role};

-- let_keep --
GRANT SELECT, INSERT, UPDATE, DELETE ON sync.webhook_event, sync.webhook_unread, sync.webhook_count TO {role};

-- let_know_companies --
GRANT SELECT (realm) ON sync.lease TO {role};
