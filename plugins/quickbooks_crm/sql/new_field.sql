-- patience --
-- Others wait behind whoever waits to change a table: not for long.
SELECT set_config('lock_timeout', %(milliseconds)s::text, true);

-- in_utc --
-- A default moment without a zone means the same whoever adds it.
SELECT set_config('TimeZone', 'UTC', true);

-- kind --
-- Postgres adds no column to a part of a table, or to a table made of a type, but to what they are of.
SELECT CASE WHEN c.relispartition THEN 'part' WHEN c.reloftype <> 0 THEN 'typed' ELSE c.relkind::text END
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(table)s;

-- form_columns --
-- What the form of this schema knows of a field.
SELECT a.attname::text FROM pg_attribute AS a
 WHERE a.attrelid = to_regclass(format('%%I.form_field', %(schema)s::text)) AND a.attnum > 0 AND NOT a.attisdropped;

-- one_field_at_a_time --
LOCK TABLE {form_field} IN SHARE ROW EXCLUSIVE MODE;

-- same_label --
-- The column that people call the same, whatever capitals and spaces they write.
SELECT known.name FROM unnest(%(names)s::text[], %(labels)s::text[]) AS known (name, label)
 WHERE sync.normal(known.label) = sync.normal(%(label)s);

-- cannot_name_a_column --
-- Names that are taken, by Postgres itself too and in tables that inherit the column, and words that SQL keeps for itself.
WITH RECURSIVE own AS (
    SELECT to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text))::oid AS oid
    UNION
    SELECT inhrelid FROM own JOIN pg_inherits ON inhparent = own.oid
)
SELECT a.attname::text FROM own JOIN pg_attribute AS a ON a.attrelid = own.oid WHERE NOT a.attisdropped
UNION
SELECT word FROM pg_get_keywords() WHERE catcode <> 'U';

-- has_rows --
SELECT EXISTS (SELECT FROM {table});

-- add_column --
ALTER TABLE {table} ADD COLUMN {column};

-- column --
{column} {type}

-- with_default --
DEFAULT {value}

-- one_value --
{value}::{type}

-- several_values --
ARRAY[{values}]::{type}

-- not_null --
NOT NULL

-- text --
varchar({size})

-- multi_line --
text

-- numeric --
numeric(20, {size})

-- date --
date

-- time --
time

-- date_time --
timestamptz

-- keyword --
varchar(200)

-- keywords --
text[]

-- list_named --
SELECT id FROM {lists} WHERE sync.normal(name) = sync.normal(%(list)s);

-- new_list --
INSERT INTO {lists} (name) VALUES (%(list)s) RETURNING id;

-- on_the_list --
INSERT INTO {values} (list_id, value)
SELECT %(list_id)s, wanted FROM unnest(%(wanted)s::text[]) AS wanted
 WHERE NOT EXISTS (SELECT FROM {values} WHERE list_id = %(list_id)s AND sync.normal(value) = sync.normal(wanted));

-- next_position --
SELECT coalesce(max(position), 0) + 10 FROM {form_field} WHERE table_name = %(table_name)s;

-- new_form_field --
INSERT INTO {form_field} ({columns}) VALUES ({values});
