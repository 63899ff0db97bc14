-- has_erased --
SELECT EXISTS (SELECT FROM sync.erased WHERE realm = %(realm)s);

-- scrub_page --
-- What QuickBooks sent of people who were erased here, or with their names in it, as it may be kept.
UPDATE page
   SET payload = sync.without_person(
           page.entity, payload, (page.entity, id) IN (SELECT * FROM unnest(erased.entities, erased.ids))
               OR sync.is_of(payload, erased.entities, erased.ids), sync.erased_keys(), erased.ids)
  FROM (SELECT array_agg(entity) AS entities, array_agg(id) AS ids FROM sync.erased WHERE realm = %(realm)s) AS erased
 WHERE erased.ids IS NOT NULL
   AND ((page.entity, id) IN (SELECT * FROM unnest(erased.entities, erased.ids))
        OR jsonb_path_exists(payload, '$.**.value ? (@ == $ids[*])', jsonb_build_object('ids', to_jsonb(erased.ids))));

-- leave_out --
UPDATE incoming
   SET action = NULL, outcome = 'excluded', reason = 'erased_on_request', message = 'Erased on request.', details = NULL,
       collides_with = NULL
  FROM sync.erased AS erased
 WHERE erased.realm = %(realm)s AND erased.entity = incoming.entity AND erased.id = incoming.id;
