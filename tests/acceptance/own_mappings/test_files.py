"""A company may use a file of its own instead of one that all share, and that is told."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import companies, in_force, mapping
from quickbooks_crm.errors import MappingError
from quickbooks_crm.plans import plans
from tests.acceptance.kept_in_step import Kept
from tests.acceptance.putting_in_force import (
    CODE,
    NO_CODE,
    coded,
    codes,
    edit,
    own_file,
    store,
    text,
    use,
)


def test_a_file_of_its_own_replaces_the_modules_file_wholly(kept: Kept, include: Path) -> None:
    coded(kept)
    own_file(include, text(include, "products", NO_CODE))
    edit(include, ("{from: Name}", "{from: NoSuchThing}"))

    run = kept.sync()

    assert run.state == "success"
    assert codes(kept) == {None}
    assert "Part 0" in {row["name"] for row in kept.ask("SELECT name FROM crm.products")}


def test_other_companies_keep_to_the_shared_file(
    connection: Connection[Any], include: Path
) -> None:
    own_file(include, text(include, "products", NO_CODE))
    other = (include / "companies" / "sample.yaml").read_text(encoding="utf-8")
    other = re.sub("mappings: .*\n", "", other).replace("quickbooks_sample", "quickbooks_other")
    (include / "companies" / "other.yaml").write_text(other, encoding="utf-8")

    shared, own = (
        mapping.parse_written(in_force.files_of(companies.load_one(include / "companies", name)))
        for name in ("other", "sample")
    )

    assert ("code" in shared["products"].fields, "code" in own["products"].fields) == (True, False)


def test_mistakes_in_a_file_of_its_own_are_told_with_its_place_and_line(
    connection: Connection[Any], include: Path, command: Callable[..., tuple[int, str]]
) -> None:
    own_file(include, text(include, "products", ("mode: merge", "mode: marge")))

    code, said = command("check")

    assert code == 2
    assert "sample/products.yaml is not a valid mapping (1 problem)" in said
    assert re.search(r"line \d+: import.mode cannot be: 'marge'. Did you mean 'merge'\?", said)


def test_check_tells_all_mistakes_in_files_of_mappings_and_companies_at_once(
    connection: Connection[Any], include: Path, command: Callable[..., tuple[int, str]]
) -> None:
    edit(include, ("mode: merge", "mode: marge"))
    edit(include, ("refers: accounts", "refers: acounts"), module="contacts")
    own = text(include, "accounts", ("refers: accounts", "refers: account"))
    own_file(include, own, "accounts")
    other = include / "companies" / "other.yaml"
    other.write_text("name: Other\nquickbooks: other\nshedule: '@daily'\nmodules: [product]\n")

    code, said = command("check")

    told = [line.split(". ")[0] for line in said.splitlines()]
    no_mapping = "refers names a module that has no mapping:"
    assert (code, told) == (
        2,
        [
            "contacts.yaml is not a valid mapping (1 problem)",
            f"  line 18: fields.account_id.{no_mapping} 'acounts'",
            "products.yaml is not a valid mapping (1 problem)",
            "  line 10: import.mode cannot be: 'marge'",
            "sample/accounts.yaml is not a valid mapping (1 problem)",
            f"  line 17: fields.parent_id.{no_mapping} 'account'",
            "other.yaml is not a valid company (2 problems)",
            "  line 3: shedule is not a key here: 'shedule'",
            "  line 4: modules.1 has no mapping: 'product'",
            "Check again with: make mappings (a CRM of your own: python -m quickbooks_crm check)",
        ],
    )


def test_check_tells_of_every_company_what_does_not_fit_the_crm(
    connection: Connection[Any], include: Path, command: Callable[..., tuple[int, str]]
) -> None:
    for name in ("one", "two"):
        file = include / "companies" / f"{name}.yaml"
        file.write_text(f"name: {name}\nquickbooks: {name}\nmodules: [products]\n")

    code, said = command("check", "--company", "one", "--company", "two")

    unknown = [line.split("'")[1] for line in said.splitlines() if "has no company" in line]
    assert (code, unknown) == (2, ["one", "two"])


def test_a_file_of_its_own_that_is_not_there_stops_the_run_and_says_so(
    kept: Kept, include: Path
) -> None:
    own_file(include, "").unlink()

    with pytest.raises(MappingError) as error:
        kept.sync()

    assert (
        "line 1: the file is not there. Add mappings/sample/products.yaml, or correct mappings in "
        "the file of the company."
    ) in str(error.value)


def test_a_module_that_only_one_company_has_begins_as_its_own_file(
    kept: Kept, include: Path
) -> None:
    mine = text(include, "products").replace("quickbooks_product_id", "code")
    own_file(include, mine.replace(CODE, ""), "parts")
    (include / "mappings" / "products.yaml").unlink()
    company = include / "companies" / "sample.yaml"
    company.write_text(re.sub("modules: .*", "modules: [parts, accounts]", company.read_text()))

    assert list(plans()["sample"].tables.items()) == [
        ("parts", "crm.products"),
        ("accounts", "crm.accounts"),
    ]
    assert {module.module for module in kept.sync().counts} == {"parts", "accounts"}


def test_airflow_makes_a_companys_tasks_from_its_own_files(
    connection: Connection[Any], include: Path
) -> None:
    (include / "companies" / "other.yaml").write_text("name: Other\nquickbooks: other\n")
    own_file(include, text(include, "products", ("crm.products", "crm.wares")))

    shown = plans()

    assert shown["sample"].tables["products"] == "crm.wares"
    assert shown["other"].tables["products"] == "crm.products"


def test_check_tells_of_every_module_where_its_mapping_is_from_and_of_files_nobody_uses(
    include: Path,
    connection: Connection[Any],
    command: Callable[..., tuple[int, str]],
) -> None:
    own_file(include, text(include, "products", NO_CODE))
    own_file(include, text(include, "accounts"), "accounts")
    use(
        connection,
        store(connection, text(include, "contacts"), module="contacts").version,
        "contacts",
    )

    code, said = command("check")

    assert code == 0, said
    assert "columns of crm.products from Item (shared file products.yaml)" in said
    assert "columns of crm.accounts from Customer (own file sample/accounts.yaml)" in said
    assert re.search(r"crm.contacts from Customer \(version 1, since .* by grace; the same", said)
    assert "Warning: include/mappings/sample/products.yaml is used by no company." in said
