-- What is called form_field and is no table, or none that this login may read, is another CRM's own: it says nothing of rules.

CREATE OR REPLACE FUNCTION sync.rules_of(tables text[]) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    name text;
    parts oid[];
    kinds oid[];
    form text;
    rules text := '';
    more text;
BEGIN
    FOREACH name IN ARRAY tables LOOP
        parts := ARRAY (SELECT sync.tables_of(split_part(name, '.', 1), split_part(name, '.', 2)));
        kinds := ARRAY (
            WITH RECURSIVE kind AS (
                SELECT atttypid AS oid FROM pg_attribute WHERE attrelid = ANY (parts) AND attnum > 0
                UNION
                SELECT inner_type.oid
                  FROM kind
                 CROSS JOIN LATERAL (SELECT unnest(ARRAY[typbasetype, typelem]) AS oid FROM pg_type WHERE oid = kind.oid LIMIT 2) AS inner_type
            )
            SELECT oid FROM kind WHERE oid <> 0);
        WITH said AS (
            SELECT concat_ws(' ', 'table', oid::regclass, relrowsecurity, relforcerowsecurity, reloptions,
                             pg_get_expr(relpartbound, oid), pg_get_viewdef(oid)) AS rule
              FROM pg_class WHERE oid = ANY (parts)
            UNION ALL
            SELECT concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                             pg_get_expr(d.adbin, d.adrelid))
              FROM pg_attribute AS a
              LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = ANY (parts) AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
            SELECT concat_ws(' ', 'type', format_type(oid, NULL), format_type(typbasetype, typtypmod), typnotnull, typdefault,
                             (SELECT array_agg(enumlabel ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = pg_type.oid))
              FROM pg_type WHERE oid = ANY (kinds)
            UNION ALL
            SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid))
              FROM pg_constraint WHERE conrelid = ANY (parts) OR contypid = ANY (kinds)
            UNION ALL
            SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ANY (parts) AND indisunique
            UNION ALL
            SELECT concat_ws(' ', 'policy', polname, polcmd, polpermissive, polroles,
                             pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
              FROM pg_policy WHERE polrelid = ANY (parts)
            UNION ALL
            SELECT concat_ws(' ', 'trigger', t.tgenabled, pg_get_triggerdef(t.oid), p.prosrc)
              FROM pg_trigger AS t
              JOIN pg_proc AS p ON p.oid = t.tgfoid
             WHERE t.tgrelid = ANY (parts) AND NOT t.tgisinternal
        )
        SELECT concat_ws(' ', rules, name, string_agg(rule, ' ' ORDER BY rule)) INTO rules FROM said;
        form := format('%I.form_field', split_part(name, '.', 1));
        IF EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(form) AND relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(oid, 'SELECT')) THEN
            EXECUTE format('SELECT string_agg(to_jsonb(field)::text, '' '' ORDER BY to_jsonb(field)::text) FROM %s AS field WHERE to_jsonb(field) ->> ''table_name'' = $1', form)
               INTO more USING name;
            rules := concat_ws(' ', rules, more);
        END IF;
    END LOOP;
    RETURN md5(rules);
END $$;
COMMENT ON FUNCTION sync.rules_of IS 'A hash of what tables ask of their rows: types, lengths, NOT NULL, defaults, constraints, unique indexes, policies, triggers, also those of the tables behind them, and what their forms require.';
