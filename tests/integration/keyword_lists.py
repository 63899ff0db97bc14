"""A list of keywords, the fields of products that take theirs from it, and what both then hold."""

from typing import Any

from psycopg import Connection

from quickbooks_crm.mapping import Mapping
from tests.integration.crm import products, rows

TERMS = "terms: {from: Terms}"
REQUIRED_TERMS = "terms: {from: Terms, required: true}"
TAGS = "tags: {from: Tags}"
KEYED = "key: quickbooks_product_id"
HELD = "SELECT %s FROM crm.products ORDER BY quickbooks_product_id::integer"
VALUES = "SELECT value FROM crm.keyword_values WHERE list_id = 7 ORDER BY 1"
ADDED = "SELECT module, field, value, list, list_key FROM sync.added_keyword"


def listed(connection: Connection[Any], column: str, several: bool = False) -> int:
    """A keyword field of products, its list with the values Net 30 (also NET30) and Net 60."""
    type_ = "text[]" if several else "varchar(50)"
    connection.execute(f"ALTER TABLE crm.products ADD COLUMN {column} {type_}".encode())
    connection.execute(
        "INSERT INTO crm.keyword_lists (id, name) VALUES (7, 'Terms') ON CONFLICT DO NOTHING"
    )
    connection.execute(
        "INSERT INTO crm.keyword_values (id, list_id, value) VALUES (71, 7, 'Net 30'), "
        "(72, 7, 'Net 60') ON CONFLICT DO NOTHING"
    )
    connection.execute(
        "INSERT INTO crm.keyword_aliases (list_id, value_id, alias) VALUES (7, 71, 'NET30') "
        "ON CONFLICT DO NOTHING"
    )
    connection.execute(
        "INSERT INTO crm.form_field (table_name, column_name, label, type, keyword_list_id, "
        "multi_value) VALUES ('crm.products', %s, %s, 'keyword', 7, %s)",
        [column, column.capitalize(), several],
    )
    return 7


def mapped(field: str, **settings: str) -> dict[str, Mapping]:
    words = "".join(f", {word}: {value!r}" for word, value in settings.items())
    return products(f"{{{KEYED}{words}}}", fields=field)


def held(connection: Connection[Any], column: str) -> list[Any]:
    return [row[0] for row in rows(connection, HELD % column)]


def values(connection: Connection[Any]) -> list[str]:
    return [row[0] for row in rows(connection, VALUES)]


LEAVES_OUT = "IF NEW.value = 'Net 45' THEN RETURN NULL; END IF; RETURN NEW;"
RAISES = "IF NEW.value = 'Net 45' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NEW;"


def guard(connection: Connection[Any], body: str) -> None:
    """Let a trigger decide what joins the lists."""
    connection.execute(
        "CREATE FUNCTION crm.guards() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} END $$".encode()
    )
    connection.execute(
        "CREATE TRIGGER guards BEFORE INSERT ON crm.keyword_values FOR EACH ROW "
        "EXECUTE FUNCTION crm.guards()"
    )
