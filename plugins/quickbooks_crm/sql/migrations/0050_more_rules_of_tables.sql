-- The rules of a table are also those of its form, which names tables with their schema.

CREATE OR REPLACE FUNCTION sync.rules_of(tables text[]) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    name text;
    form text;
    rules text := '';
    more text;
BEGIN
    FOREACH name IN ARRAY tables LOOP
        WITH meant AS (
            SELECT to_regclass(format('%I.%I', split_part(name, '.', 1), split_part(name, '.', 2))) AS oid
        ), said AS (
            SELECT concat_ws(' ', 'column', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                             pg_get_expr(d.adbin, d.adrelid),
                             (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = a.atttypid)) AS rule
              FROM meant
              JOIN pg_attribute AS a ON a.attrelid = meant.oid AND a.attnum > 0 AND NOT a.attisdropped
              LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            UNION ALL
            SELECT concat_ws(' ', 'constraint', c.conname, pg_get_constraintdef(c.oid))
              FROM meant
              JOIN pg_constraint AS c
                ON c.conrelid = meant.oid
                OR c.contypid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = meant.oid AND attnum > 0)
            UNION ALL
            SELECT pg_get_indexdef(i.indexrelid) FROM meant JOIN pg_index AS i ON i.indrelid = meant.oid AND i.indisunique
            UNION ALL
            SELECT concat_ws(' ', 'trigger', t.tgenabled, pg_get_triggerdef(t.oid), p.prosrc)
              FROM meant
              JOIN pg_trigger AS t ON t.tgrelid = meant.oid AND NOT t.tgisinternal
              JOIN pg_proc AS p ON p.oid = t.tgfoid
        )
        SELECT concat_ws(' ', rules, name, string_agg(rule, ' ' ORDER BY rule)) INTO rules FROM said;
        form := format('%I.form_field', split_part(name, '.', 1));
        IF to_regclass(form) IS NOT NULL THEN
            EXECUTE format('SELECT string_agg(to_jsonb(field)::text, '' '' ORDER BY to_jsonb(field)::text) FROM %s AS field WHERE to_jsonb(field) ->> ''table_name'' = $1', form)
               INTO more USING name;
            rules := concat_ws(' ', rules, more);
        END IF;
    END LOOP;
    RETURN md5(rules);
END $$;
