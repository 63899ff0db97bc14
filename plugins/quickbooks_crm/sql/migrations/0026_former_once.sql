-- What a run changes is made into JSON once a row, not three times.

CREATE OR REPLACE FUNCTION sync.keep_former() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    run text := nullif(current_setting('sync.run_id', true), '');
BEGIN
    IF run IS NOT NULL THEN
        INSERT INTO sync.former (realm, run_id, module, kind, entity, id, field, was)
        SELECT realm, run, module, TG_TABLE_NAME, entity, id, coalesce(was ->> 'field', ''), was
          FROM (SELECT realm, module, entity, id, to_jsonb(former.*) AS was FROM former OFFSET 0) AS changed
         WHERE was ->> CASE TG_TABLE_NAME WHEN 'link' THEN 'linked_in' ELSE 'run_id' END IS DISTINCT FROM run
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
