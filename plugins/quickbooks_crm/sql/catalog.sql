-- columns --
-- The columns of one table as the database's own catalog knows them; no rows when there is no such table.
SELECT a.attname AS name,
       format_type(a.atttypid, a.atttypmod) AS type,
       base.typname AS base_type,
       CASE WHEN base.typname IN ('varchar', 'bpchar') AND m.modifier > 4 THEN m.modifier - 4 END AS length,
       CASE WHEN base.typname = 'numeric' AND m.modifier > 4 THEN ((m.modifier - 4) >> 16) & 65535 END AS precision,
       CASE WHEN base.typname = 'numeric' AND m.modifier > 4 THEN (m.modifier - 4) & 2047 END AS scale,
       a.attnotnull OR t.typnotnull AS not_null,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default_expression,
       a.attidentity <> '' AS identity,
       a.attgenerated <> '' AS generated,
       pg_get_serial_sequence(format('%%I.%%I', n.nspname, c.relname), a.attname) AS sequence,
       coalesce(a.attnum = ANY (p.conkey), false) AS in_primary_key,
       (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = base.oid) AS choices
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type AS t ON t.oid = a.atttypid
  JOIN pg_type AS base ON base.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
 CROSS JOIN LATERAL (SELECT CASE WHEN t.typbasetype = 0 THEN a.atttypmod ELSE t.typtypmod END AS modifier) AS m
  LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
  LEFT JOIN pg_constraint AS p ON p.conrelid = c.oid AND p.contype = 'p'
 WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'f')
 ORDER BY a.attnum;

-- has_form_fields --
SELECT to_regclass(format('%%I.form_field', %(schema)s::text)) IS NOT NULL;

-- form_fields --
-- What the CRM's own forms say of the columns.
SELECT to_jsonb(form_field.*)
  FROM {form_field} AS form_field
 WHERE table_name = %(table)s;

-- has_lists --
-- Whether the schema keeps keyword lists, and other names of their values.
SELECT to_regclass(format('%%I.keyword_values', %(schema)s::text)) IS NOT NULL,
       to_regclass(format('%%I.keyword_aliases', %(schema)s::text)) IS NOT NULL;

-- points_to --
-- The table and column that a column points to, if it points anywhere.
SELECT target_schema.nspname, target.relname, target_column.attname
  FROM pg_constraint AS f
  JOIN pg_class AS c ON c.oid = f.conrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND f.conkey = ARRAY[a.attnum]
  JOIN pg_class AS target ON target.oid = f.confrelid
  JOIN pg_namespace AS target_schema ON target_schema.oid = target.relnamespace
  JOIN pg_attribute AS target_column ON target_column.attrelid = target.oid AND f.confkey = ARRAY[target_column.attnum]
 WHERE f.contype = 'f' AND n.nspname = %(schema)s AND c.relname = %(table)s AND a.attname = %(column)s;

-- company_known --
SELECT EXISTS (SELECT FROM {table} WHERE {column}::text = %(company)s);

-- forbidden --
-- What the login may not do with a table, or any column of it.
SELECT needed FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS needed
 WHERE NOT has_any_column_privilege(to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text)), needed);
