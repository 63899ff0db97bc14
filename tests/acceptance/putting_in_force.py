"""A company's own mappings in one line: a file of its own, or a version stored and put in force."""

import re
from pathlib import Path
from typing import Any

from psycopg import Connection

from quickbooks_crm import companies, in_force
from quickbooks_crm.versions import New, Version
from tests.acceptance.kept_in_step import Kept

CODE = "  code:                  {from: Sku}\n"
NO_CODE = (CODE, "")
CODE_IS_ID = ("{from: Sku}", "{from: Id}")
OTHER_NOTES = ("{from: Description}", "{from: PurchaseDesc}")


def text(include: Path, module: str = "products", *changes: tuple[str, str]) -> str:
    """The shared file of a module, changed."""
    found = (include / "mappings" / f"{module}.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in found
        found = found.replace(old, new)
    return found


def edit(include: Path, *changes: tuple[str, str], module: str = "products") -> None:
    """Change the shared file of a module."""
    file = include / "mappings" / f"{module}.yaml"
    file.write_text(text(include, module, *changes), encoding="utf-8")


def own_file(include: Path, content: str, module: str = "products") -> Path:
    """Give the company a file of its own."""
    file = include / "mappings" / "sample" / f"{module}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8")
    company = include / "companies" / "sample.yaml"
    own = f"mappings: {{{module}: sample/{module}.yaml}}\n"
    kept = re.sub("mappings: .*\n", "", company.read_text(encoding="utf-8"))
    company.write_text(kept + own, encoding="utf-8")
    return file


def sample() -> companies.Company:
    return companies.load_one(companies.INCLUDE / "companies", "sample")


def store(
    connection: Connection[Any], content: str, based_on: int = 0, module: str = "products"
) -> Version:
    return in_force.store(
        connection, sample(), New(module, content, based_on, "ada", "page", "to try")
    )


def use(connection: Connection[Any], number: int | None, module: str = "products") -> None:
    in_force.use(connection, sample(), module, number, "grace")


def origin(connection: Connection[Any], module: str = "products") -> str:
    said = in_force.of(connection, sample()).origins[module].words
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "NOW", said)


def codes(kept: Kept) -> set[str | None]:
    return {row["code"] for row in kept.ask("SELECT code FROM crm.products WHERE NOT deleted")}


def coded(kept: Kept, count: int = 2) -> None:
    for number in range(count):
        kept.quickbooks.add("Item", Name=f"Part {number}", Sku=f"SKU-{number}", Type="Service")
