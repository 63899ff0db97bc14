-- columns --
-- The columns of tables as the database's own catalog knows them; no rows of a table that there is not. A view over one
-- table is known by that table's columns of the same names: its key, what must not be empty, what is filled by itself. Of a
-- column of several values, lengths, scales and choices are those of each.
SELECT asked.table_name,
       a.attname AS name,
       coalesce(own.attnum, 0) AS number,
       c.relkind = 'v' AS is_view,
       format_type(a.atttypid, a.atttypmod) AS type,
       base.typname AS base_type,
       format_type(base.oid, -1) AS bare_type,
       CASE WHEN item.oid <> base.oid THEN item.typname END AS item_base_type,
       format_type(item.oid, domains.modifier) AS item_type,
       item.typtype = 'c' AS composite,
       CASE WHEN item.typname IN ('varchar', 'bpchar') AND domains.modifier > 4 THEN domains.modifier - 4 END AS length,
       CASE WHEN item.typname = 'numeric' AND domains.modifier > 4 THEN ((domains.modifier - 4) >> 16) & 65535
            WHEN item.typname = 'money' THEN 18 END AS precision,
       CASE WHEN item.typname = 'numeric' AND domains.modifier > 4 THEN (((domains.modifier - 4) & 2047) # 1024) - 1024
            WHEN item.typname = 'money' THEN scale(0::money::numeric)
            WHEN item.typname IN ('time', 'timetz', 'timestamp', 'timestamptz')
            THEN CASE WHEN domains.modifier >= 0 THEN domains.modifier ELSE 6 END
            WHEN item.typname = 'interval' AND domains.modifier >= 0
            THEN CASE WHEN domains.modifier >> 28 & 1 = 0 THEN 0 ELSE least(domains.modifier & 65535, 6) END END AS scale,
       coalesce(own.attnotnull, false) OR domains.not_null AS not_null,
       CASE WHEN own.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), domains.default_expression) END AS default_expression,
       coalesce(own.attidentity <> '', false) AS identity,
       coalesce(own.attgenerated <> '', false) OR NOT pg_column_is_updatable(c.oid, a.attnum, false) AS generated,
       owned.sequence,
       coalesce(own.attnum = ANY (p.conkey), false) AS in_primary_key,
       (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = item.oid) AS choices,
       ARRAY (SELECT wanted FROM unnest('{SELECT,INSERT,UPDATE}'::text[]) AS wanted
               WHERE NOT has_column_privilege(c.oid, a.attnum, wanted))
       || CASE WHEN NOT has_sequence_privilege(owned.oid, 'USAGE') THEN '{USAGE}' ELSE '{}' END::text[] AS lacking,
       ARRAY (SELECT DISTINCT format('%%I.%%I', place.nspname, sequence.relname)
                FROM pg_depend AS uses
                JOIN pg_class AS sequence ON sequence.oid = uses.refobjid
                JOIN pg_namespace AS place ON place.oid = sequence.relnamespace
               WHERE uses.classid = 'pg_attrdef'::regclass AND uses.objid = d.oid AND uses.refclassid = 'pg_class'::regclass
                 AND CASE WHEN sequence.relkind = 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE, UPDATE') END) AS locked,
       (SELECT ARRAY[place.nspname, target.relname, pointed.attname]::text[]
          FROM pg_constraint AS f
          JOIN pg_class AS target ON target.oid = f.confrelid
          JOIN pg_namespace AS place ON place.oid = target.relnamespace
          JOIN pg_attribute AS pointed ON pointed.attrelid = target.oid AND f.confkey = ARRAY[pointed.attnum]
         WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = ARRAY[a.attnum]
         ORDER BY f.oid
         LIMIT 1) AS points_to,
       has_table_privilege(c.oid, 'DELETE') AS deletable,
       row_security_active(c.oid) AS guarded,
       ARRAY (SELECT rulename::text FROM pg_rewrite WHERE ev_class = c.oid AND rulename <> '_RETURN' ORDER BY 1) AS rules
  FROM unnest(%(tables)s::text[], %(schemas)s::text[], %(names)s::text[]) AS asked (table_name, schema_name, name)
  JOIN pg_namespace AS n ON n.nspname = asked.schema_name
  JOIN pg_class AS c ON c.relname = asked.name AND c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'f')
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
  LEFT JOIN LATERAL (
       SELECT sequence.oid, format('%%I.%%I', place.nspname, sequence.relname) AS sequence
         FROM pg_depend AS belongs
         JOIN pg_class AS sequence ON sequence.oid = belongs.objid AND sequence.relkind = 'S'
         JOIN pg_namespace AS place ON place.oid = sequence.relnamespace
        WHERE belongs.classid = 'pg_class'::regclass AND belongs.refclassid = 'pg_class'::regclass
          AND belongs.refobjid = kept.oid AND belongs.refobjsubid = own.attnum AND belongs.deptype IN ('a', 'i')
        ORDER BY belongs.deptype DESC, sequence.oid
        LIMIT 1) AS owned ON true
 CROSS JOIN LATERAL (
       WITH RECURSIVE made_of AS (
           SELECT oid, typbasetype, typelem, typinput, a.atttypmod AS modifier, typtypmod, typnotnull, typdefaultbin, 0 AS depth,
                  false AS in_list
             FROM pg_type WHERE oid = a.atttypid
           UNION ALL
           SELECT inner_type.oid, inner_type.typbasetype, inner_type.typelem, inner_type.typinput,
                  CASE WHEN made_of.typbasetype <> 0 THEN made_of.typtypmod ELSE made_of.modifier END, inner_type.typtypmod,
                  inner_type.typnotnull, inner_type.typdefaultbin, made_of.depth + 1, made_of.in_list OR made_of.typbasetype = 0
             FROM made_of
            CROSS JOIN LATERAL (SELECT * FROM pg_type
                                 WHERE oid = CASE WHEN made_of.typbasetype <> 0 THEN made_of.typbasetype
                                                  WHEN made_of.typinput = 'array_in'::regproc THEN made_of.typelem END
                                 LIMIT 1) AS inner_type
       )
       SELECT max(oid::bigint) FILTER (WHERE typbasetype = 0 AND NOT in_list)::oid AS base,
              (array_agg(oid ORDER BY depth DESC))[1] AS item,
              (array_agg(modifier ORDER BY depth DESC))[1] AS modifier,
              bool_or(typnotnull) FILTER (WHERE NOT in_list) AS not_null,
              (array_agg(pg_get_expr(typdefaultbin, 0) ORDER BY depth)
               FILTER (WHERE typbasetype <> 0 AND typdefaultbin IS NOT NULL AND NOT in_list))[1] AS default_expression
         FROM made_of) AS domains
  JOIN pg_type AS base ON base.oid = domains.base
  JOIN pg_type AS item ON item.oid = domains.item
  LEFT JOIN LATERAL (SELECT oid, adbin, adrelid FROM pg_attrdef WHERE adrelid = kept.oid AND adnum = own.attnum LIMIT 1) AS d ON true
  LEFT JOIN LATERAL (SELECT conkey FROM pg_constraint WHERE conrelid = kept.oid AND contype = 'p' LIMIT 1) AS p ON true
 ORDER BY asked.table_name, a.attnum;

-- schemas --
-- Which of the schemas there are, whether the login may look into them, whether they say what the CRM's forms ask for, which
-- the login may then read or not, and whether they keep keyword lists, names of these lists, and other names of their values.
-- A table that only is called like one of ours, and lacks columns of it or has them of another kind, is another CRM's own.
WITH ours AS (
    SELECT c.oid, c.relnamespace, c.relname
      FROM (VALUES ('form_field', 'table_name', 'S', true), ('form_field', 'column_name', 'S', true),
                   ('form_field', 'label', 'S', false), ('form_field', 'required', 'B', false),
                   ('keyword_lists', 'id', NULL, true), ('keyword_lists', 'name', 'S', true),
                   ('keyword_values', 'id', NULL, true), ('keyword_values', 'list_id', NULL, true),
                   ('keyword_values', 'value', 'S', true),
                   ('keyword_aliases', 'list_id', NULL, true), ('keyword_aliases', 'value_id', NULL, true),
                   ('keyword_aliases', 'alias', 'S', true))
           AS known (table_name, column_name, kind, needed)
      JOIN pg_class AS c ON c.relname = known.table_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = known.column_name AND NOT a.attisdropped
      LEFT JOIN pg_type AS t ON t.oid = a.atttypid
     GROUP BY c.oid
    HAVING bool_and(CASE WHEN a.attname IS NULL THEN NOT known.needed
                         ELSE t.typcategory = coalesce(known.kind::"char", t.typcategory) END)
)
SELECT n.nspname AS name,
       has_schema_privilege(n.oid, 'USAGE') AS usable,
       form.oid IS NOT NULL AS forms,
       (SELECT bool_and(has_column_privilege(form.oid, attnum, 'SELECT'))
          FROM pg_attribute WHERE attrelid = form.oid AND attnum > 0 AND NOT attisdropped) AS readable,
       EXISTS (SELECT FROM ours WHERE relname = 'keyword_values' AND relnamespace = n.oid) AS lists,
       EXISTS (SELECT FROM ours WHERE relname = 'keyword_lists' AND relnamespace = n.oid) AS named_lists,
       EXISTS (SELECT FROM ours WHERE relname = 'keyword_aliases' AND relnamespace = n.oid) AS aliases
  FROM pg_namespace AS n
  LEFT JOIN ours AS form ON form.relname = 'form_field' AND form.relnamespace = n.oid
 WHERE n.nspname = ANY (%(schemas)s::text[]);

-- tables --
-- The tables and views that a mapping may name.
SELECT n.nspname || '.' || c.relname
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'f')
   AND n.nspname NOT IN ('quickbooks', 'sync', 'information_schema')
   AND n.nspname NOT LIKE 'pg\_%'
 ORDER BY 1;

-- default --
({default})::{type}

-- untouched --
to_jsonb(({default})::{type})

-- hold --
-- Reading locks out whoever wants to change the table's form.
SELECT FROM {table} LIMIT 0;

-- form_fields --
-- What the CRM's own forms say of the columns of tables.
SELECT to_jsonb(form_field.*)
  FROM {form_field} AS form_field
 WHERE table_name::text = ANY (%(tables)s::text[]);

-- company_kept --
-- A company as a column of this type keeps it: what is too long for the type is refused here, not cut off as by a cast.
SELECT one.value::text FROM jsonb_to_record(jsonb_build_object('value', %(company)s::text)) AS one (value {type});

-- company_known --
SELECT EXISTS (SELECT FROM {table} WHERE {column}::text = %(company)s);
