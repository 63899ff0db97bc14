-- columns --
-- The columns of one table as the database's own catalog knows them; no rows when there is no such table. A view over one
-- table is known by that table's columns of the same names: its key, what must not be empty, what is filled by itself.
SELECT a.attname AS name,
       coalesce(own.attnum, 0) AS number,
       c.relkind = 'v' AS is_view,
       format_type(a.atttypid, a.atttypmod) AS type,
       base.typname AS base_type,
       CASE WHEN base.typname IN ('varchar', 'bpchar') AND domains.modifier > 4 THEN domains.modifier - 4 END AS length,
       CASE WHEN base.typname = 'numeric' AND domains.modifier > 4 THEN ((domains.modifier - 4) >> 16) & 65535
            WHEN base.typname = 'money' THEN 18 END AS precision,
       CASE WHEN base.typname = 'numeric' AND domains.modifier > 4 THEN (((domains.modifier - 4) & 2047) # 1024) - 1024
            WHEN base.typname = 'money' THEN scale(0::money::numeric)
            WHEN base.typname IN ('time', 'timetz', 'timestamp', 'timestamptz')
            THEN CASE WHEN domains.modifier >= 0 THEN domains.modifier ELSE 6 END END AS scale,
       coalesce(own.attnotnull, false) OR domains.not_null AS not_null,
       CASE WHEN own.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default_expression,
       coalesce(own.attidentity <> '', false) AS identity,
       coalesce(own.attgenerated <> '', false) OR NOT pg_column_is_updatable(c.oid, a.attnum, false) AS generated,
       owned.sequence,
       coalesce(own.attnum = ANY (p.conkey), false) AS in_primary_key,
       (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = base.oid) AS choices,
       ARRAY (SELECT wanted FROM unnest('{SELECT,INSERT,UPDATE}'::text[]) AS wanted
               WHERE NOT has_column_privilege(c.oid, a.attnum, wanted))
       || CASE WHEN NOT has_sequence_privilege(owned.sequence, 'USAGE') THEN '{USAGE}' ELSE '{}' END::text[] AS lacking,
       ARRAY (SELECT DISTINCT format('%%I.%%I', place.nspname, sequence.relname)
                FROM pg_depend AS uses
                JOIN pg_class AS sequence ON sequence.oid = uses.refobjid
                JOIN pg_namespace AS place ON place.oid = sequence.relnamespace
               WHERE uses.classid = 'pg_attrdef'::regclass AND uses.objid = d.oid AND uses.refclassid = 'pg_class'::regclass
                 AND CASE WHEN sequence.relkind = 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE, UPDATE') END) AS locked,
       has_table_privilege(c.oid, 'DELETE') AS deletable,
       row_security_active(c.oid) AS guarded
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN LATERAL (
       SELECT min(uses.refobjid::bigint)::oid AS oid
         FROM pg_rewrite AS rule
         JOIN pg_depend AS uses ON uses.classid = 'pg_rewrite'::regclass AND uses.objid = rule.oid
                               AND uses.refclassid = 'pg_class'::regclass AND uses.refobjid <> c.oid
        WHERE rule.ev_class = c.oid
       HAVING count(DISTINCT uses.refobjid) = 1) AS behind ON c.relkind = 'v'
 CROSS JOIN LATERAL (SELECT coalesce(behind.oid, c.oid) AS oid) AS kept
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attribute AS own ON own.attrelid = kept.oid AND own.attname = a.attname AND NOT own.attisdropped
 CROSS JOIN LATERAL (
       SELECT CASE WHEN own.attname IS NOT NULL THEN pg_get_serial_sequence(kept.oid::regclass::text, own.attname) END AS sequence
       ) AS owned
 CROSS JOIN LATERAL (
       WITH RECURSIVE domain AS (
           SELECT oid, typbasetype, a.atttypmod AS modifier, typtypmod, typnotnull FROM pg_type WHERE oid = a.atttypid
           UNION ALL
           SELECT inner_type.oid, inner_type.typbasetype, domain.typtypmod, inner_type.typtypmod, inner_type.typnotnull
             FROM domain JOIN pg_type AS inner_type ON inner_type.oid = domain.typbasetype
       )
       SELECT max(oid::bigint) FILTER (WHERE typbasetype = 0)::oid AS base, bool_or(typnotnull) AS not_null,
              max(modifier) FILTER (WHERE typbasetype = 0) AS modifier
         FROM domain) AS domains
  JOIN pg_type AS base ON base.oid = domains.base
  LEFT JOIN pg_attrdef AS d ON d.adrelid = kept.oid AND d.adnum = own.attnum
  LEFT JOIN pg_constraint AS p ON p.conrelid = kept.oid AND p.contype = 'p'
 WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND c.relkind IN ('r', 'p', 'v', 'f')
 ORDER BY a.attnum;

-- may_look --
-- Whether the login may look into a schema; nothing when there is no such schema.
SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %(schema)s;

-- hold --
-- Reading locks out whoever wants to change the table's form.
SELECT FROM {table} LIMIT 0;

-- has_form_fields --
-- Whether the schema says what the CRM's forms ask for, and whether the login may read that.
SELECT form.oid IS NOT NULL,
       coalesce((SELECT bool_and(has_column_privilege(form.oid, attnum, 'SELECT'))
                   FROM pg_attribute WHERE attrelid = form.oid AND attnum > 0 AND NOT attisdropped), false)
  FROM to_regclass(format('%%I.form_field', %(schema)s::text)) AS form (oid);

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
-- The columns of a table that point somewhere, each with the table and column that it points to.
SELECT a.attname, target_schema.nspname, target.relname, target_column.attname
  FROM pg_constraint AS f
  JOIN pg_class AS c ON c.oid = f.conrelid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND f.conkey = ARRAY[a.attnum]
  JOIN pg_class AS target ON target.oid = f.confrelid
  JOIN pg_namespace AS target_schema ON target_schema.oid = target.relnamespace
  JOIN pg_attribute AS target_column ON target_column.attrelid = target.oid AND f.confkey = ARRAY[target_column.attnum]
 WHERE f.contype = 'f' AND n.nspname = %(schema)s AND c.relname = %(table)s
 ORDER BY f.oid DESC;

-- company_known --
SELECT EXISTS (SELECT FROM {table} WHERE {column}::text = %(company)s);
