"""Mapping files to begin with: valid as they are, and as short as can be."""

from quickbooks_crm.mapping import Mapping, parse


def mapping(fields: str = "", **words: str) -> str:
    """The text of a mapping, with these fields added and these words instead of its own."""
    columns = "product_id: {from: Id}, name: {from: Name}" + (f", {fields}" if fields else "")
    lines = {
        "entities": "[Item]",
        "table": "crm.products",
        "import": "{key: product_id}",
        "fields": f"{{{columns}}}",
    } | words
    return "".join(f"{word}: {written}\n" for word, written in lines.items() if written)


def module(table: str, entities: str = "[Customer]", **references: str) -> str:
    """The text of a mapping to the table, with columns that refer to other modules."""
    fields = "".join(f", {column}: {{from: Id, refers: {to}}}" for column, to in references.items())
    return (
        f"entities: {entities}\ntable: crm.{table}\nimport: {{key: id_there}}\n"
        f"fields: {{id_there: {{from: Id}}{fields}}}\n"
    )


def read(text: str) -> Mapping:
    """The mapping in the text, as the module products."""
    return parse("products", text, "products.yaml")
