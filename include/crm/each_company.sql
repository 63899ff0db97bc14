-- Run for every company in include/companies/.
INSERT INTO crm.companies (id, name) VALUES (%(id)s, %(name)s)
ON CONFLICT (id) DO UPDATE SET name = excluded.name;
