-- note --
-- Count the fields of some records; those that came for the first time, of an entity of which enough is known, and those that
-- nearly all records had and none of the last ones has.
WITH known AS (
    SELECT coalesce(max(had + lacked + lacking), 0) AS read FROM sync.field WHERE realm = %(realm)s AND entity = %(entity)s
), came AS (
    INSERT INTO sync.field AS old (realm, entity, field, had, lacked)
    SELECT %(realm)s, %(entity)s, field, had, known.read + %(read)s - had
      FROM unnest(%(fields)s::text[], %(had)s::bigint[]) AS said (field, had)
     CROSS JOIN known
    ON CONFLICT (realm, entity, field) DO UPDATE
       SET had = old.had + excluded.had, lacked = old.lacked + old.lacking + %(read)s - excluded.had,
           lacking = 0, gone_at = NULL
 RETURNING field, found_at = now() AS is_new
), missed AS (
    UPDATE sync.field
       SET lacking = lacking + %(read)s,
           gone_at = coalesce(gone_at, CASE WHEN lacking + %(read)s >= %(enough)s AND had >= %(enough)s
                                             AND had * 100 >= (had + lacked) * %(usual)s THEN now() END)
     WHERE realm = %(realm)s AND entity = %(entity)s AND field <> ALL (%(fields)s)
 RETURNING field, gone_at
)
SELECT field, true FROM came, known WHERE is_new AND known.read >= %(enough)s
UNION ALL
SELECT field, false FROM missed WHERE gone_at = now();
