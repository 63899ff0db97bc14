-- What QuickBooks' records look like, by some of them.

-- some_records --
-- The first records of an entity: the mirror's key finds them.
SELECT payload FROM quickbooks.record
 WHERE realm = %(realm)s AND entity = %(entity)s AND NOT deleted
 ORDER BY id
 LIMIT %(some)s;
