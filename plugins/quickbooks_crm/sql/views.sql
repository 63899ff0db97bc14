-- Views that take records which they do not show.

-- hides --
SELECT EXISTS (SELECT FROM incoming AS i
                WHERE i.outcome IN ('added', 'updated')
                  AND NOT EXISTS (SELECT FROM {table} AS current WHERE current.{key} = i.record_key::{key_type}));

-- refuse --
IF EXISTS (SELECT FROM incoming AS i
            WHERE i.n = candidate.n AND i.outcome IN ('added', 'updated')
              AND NOT EXISTS (SELECT FROM {table} AS current WHERE current.{key} = i.record_key::{key_type})) THEN
    RAISE EXCEPTION USING ERRCODE = 'with_check_option_violation', MESSAGE = 'the view ' || {name} || ' does not show it';
END IF;
