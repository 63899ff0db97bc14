"""A company may use a stored version of a mapping. Which is in force is always told, and every
stage of a run keeps to it."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import leaving, pipeline, repeating, versions
from quickbooks_crm.errors import MappingError, MappingOutdated, SettingsError
from quickbooks_crm.plans import plans
from tests.acceptance.kept_in_step import BY_HAND, Kept
from tests.acceptance.putting_in_force import (
    CODE,
    CODE_IS_ID,
    NO_CODE,
    OTHER_NOTES,
    coded,
    codes,
    edit,
    origin,
    own_file,
    store,
    text,
    use,
)


def test_a_stored_version_is_used_from_when_it_is_put_in_force(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    coded(kept)
    store(connection, text(include, "products", CODE_IS_ID))
    kept.sync()
    assert {"SKU-0", "SKU-1"} <= codes(kept)

    use(connection, 1)
    repeating.replay_all("sample", "again", BY_HAND)

    ids = {row["Id"] for row in kept.quickbooks.rows("Item")}
    assert codes(kept) <= ids
    assert origin(connection) == "version 1, since NOW by grace; not the same as products.yaml"


def test_the_file_can_be_put_in_force_again(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    coded(kept)
    use(connection, store(connection, text(include, "products", NO_CODE)).version)
    kept.sync()

    use(connection, None)
    repeating.replay_all("sample", "again", BY_HAND)

    assert {"SKU-0", "SKU-1"} <= codes(kept)
    assert origin(connection) == "shared file products.yaml"


def test_a_version_comes_before_a_file_of_the_companys_own(
    include: Path, connection: Connection[Any]
) -> None:
    own_file(include, text(include, "products", OTHER_NOTES))
    assert origin(connection) == "own file sample/products.yaml"

    use(connection, store(connection, text(include)).version)

    assert (
        origin(connection) == "version 1, since NOW by grace; not the same as sample/products.yaml"
    )


def test_a_run_keeps_to_the_version_it_began_with_and_names_it(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    item = kept.quickbooks.add("Item", Name="The item", Sku="SKU-1", Type="Service")
    use(connection, store(connection, text(include)).version)
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")

    use(connection, store(connection, text(include, "products", NO_CODE), 1).version)
    pipeline.load("sample", "run-1", "products")

    assert kept.crm("crm.products", item)["code"] == "SKU-1"
    assert kept.ask("SELECT mapping_names FROM sync.run") == [
        {"mapping_names": {"products": "products, version 1"}}
    ]


def test_what_no_longer_fits_during_a_run_is_told_of_the_version(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    use(connection, store(connection, text(include)).version)
    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    kept.ask("ALTER TABLE crm.products DROP COLUMN code CASCADE")

    with pytest.raises(SettingsError, match=r"products, version 1 line \d+: .*code"):
        pipeline.transform("sample", "run-1", "products")


def test_all_that_is_wrong_with_a_version_is_told_at_once_and_nothing_is_stored(
    include: Path, connection: Connection[Any]
) -> None:
    wrong = text(
        include, "products", ("mode: merge", "mode: marge"), ("{from: Sku}", "{form: Sku}")
    )

    with pytest.raises(MappingError) as error:
        store(connection, wrong)

    said = str(error.value).splitlines()
    assert said[0] == "products, version 1 is not a valid mapping (2 problems)"
    assert [line.split(": ", 1)[1] for line in said[1:3]] == [
        "import.mode cannot be: 'marge'. Did you mean 'merge'?",
        "fields.code.form is not a key here: 'form'. Did you mean 'from'?",
    ]
    assert said[3] == "Nothing was stored. Correct the text, and store it again."
    assert versions.versions(connection, "sample", "products") == []


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (("  code:  ", "  kode:  "), SettingsError, r"products, version 1 line \d+: .*kode"),
        (("  name:  ", "  #name:  "), SettingsError, "crm.products.name .Product name."),
        (("crm.products", "crm.wares"), SettingsError, "crm.wares"),
        (("{from: Sku}", "{from: Sku, refers: acounts}"), MappingError, "Did you mean 'accounts'?"),
        (("{from: Sku}", "{from: Sku, x: \x00}"), MappingError, "a character that is not text"),
        (("{from: Sku}", "{from: Sku, x: \ud800}"), MappingError, "a character that is not text"),
    ],
)
def test_what_check_would_refuse_is_refused_before_it_is_stored(
    include: Path,
    connection: Connection[Any],
    change: tuple[str, str],
    error: type[Exception],
    said: str,
) -> None:
    with pytest.raises(error, match=said):
        store(connection, text(include, "products", change))

    assert versions.versions(connection, "sample", "products") == []


def test_a_circle_that_a_version_would_close_is_told_when_it_is_put_in_force(
    include: Path, connection: Connection[Any]
) -> None:
    store(connection, text(include, "products", (CODE, "  code: {from: Sku, refers: accounts}\n")))
    edit(include, ("{from: Notes}", "{from: Notes, refers: products}"), module="accounts")

    with pytest.raises(MappingError, match="closes a circle: accounts -> products -> accounts"):
        use(connection, 1)

    assert origin(connection) == "shared file products.yaml"


def test_of_two_who_edit_the_second_is_told_of_the_first(
    include: Path, connection: Connection[Any]
) -> None:
    store(connection, text(include, "products", NO_CODE))

    with pytest.raises(MappingOutdated) as error:
        store(connection, text(include, "products", OTHER_NOTES), based_on=0)

    assert re.sub(r"\(20.* UTC\)", "(NOW)", str(error.value)) == (
        "ada has stored version 1 of products for company sample (NOW), and this one is based on "
        "none. Nothing was stored. Look at what that version changed, and store again, based on 1."
    )
    assert [v.version for v in versions.versions(connection, "sample", "products")] == [1]
    assert store(connection, text(include, "products", OTHER_NOTES), based_on=1).version == 2


def test_of_two_who_store_at_the_same_moment_one_is_told_of_the_other(
    connection: Connection[Any], include: Path, crm: str
) -> None:
    def store_one(change: tuple[str, str]) -> str:
        with psycopg.connect(crm, autocommit=True) as own:
            try:
                return str(store(own, text(include, "products", change)).version)
            except MappingOutdated:
                return "told"

    with ThreadPoolExecutor(2) as both:
        ended = sorted(both.map(store_one, [NO_CODE, OTHER_NOTES]))

    assert ended == ["1", "told"]


@pytest.mark.parametrize("statement", ["UPDATE {} SET module = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["sync.mapping_version", "sync.mapping_choice"])
def test_what_was_stored_and_chosen_stays_as_it_was(
    include: Path, connection: Connection[Any], statement: str, table: str
) -> None:
    use(connection, store(connection, text(include)).version)

    with pytest.raises(psycopg.errors.RaiseException, match="is history"):
        connection.execute(statement.format(table).encode())


def test_a_file_that_changes_after_a_version_was_put_in_force_is_told_of_and_not_used(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    use(connection, store(connection, text(include, "products", NO_CODE)).version)
    assert kept.sync().warnings == ()

    edit(include, OTHER_NOTES)

    assert kept.sync().warnings == (
        "include/mappings/products.yaml has changed since version 1 of products was put in force. "
        "The version is used, the file is not: compare them on the page Mappings, and put one of "
        "them in force there.",
    )
    assert origin(connection).endswith(
        "not the same as products.yaml; products.yaml has changed since"
    )


def test_a_file_that_becomes_what_the_version_says_is_no_news(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    use(connection, store(connection, text(include, "products", NO_CODE)).version)

    edit(include, NO_CODE)

    assert kept.sync().warnings == ()


def test_a_mistake_in_a_file_that_a_version_replaces_stops_no_run(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    use(connection, store(connection, text(include)).version)

    edit(include, ("mode: merge", "mode: marge"))

    assert kept.sync().state == "success"


def test_whether_a_module_is_had_by_name_only_is_said_by_its_file_alone(
    kept: Kept,
    include: Path,
    connection: Connection[Any],
    command: Callable[..., tuple[int, str]],
) -> None:
    """Airflow made no tasks for a company that does not name it."""
    company = include / "companies" / "sample.yaml"
    company.write_text(re.sub("modules: .*\n", "", company.read_text()))
    use(connection, store(connection, text(include)).version)
    edit(include, ("table: crm.products\n", "table: crm.products\nby_name: true\n"))

    assert {module.module for module in kept.sync().counts} == {"accounts", "contacts"}
    assert "products" not in command("review")[1]
    assert command("link", "products", "Item", "1", "1") == (
        2,
        "Company sample does not take products. It takes: accounts, contacts.\n",
    )


def test_references_close_when_a_version_refers_against_the_order_of_the_tasks(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    """Airflow's tasks are in the order that the files say: products, then accounts."""
    kept.ask("ALTER TABLE crm.products ADD COLUMN maker_id bigint REFERENCES crm.accounts")
    maker = kept.quickbooks.add("Customer", DisplayName="The maker")
    item = kept.quickbooks.add("Item", Name="A", Type="Service", PrefVendorRef={"value": maker})
    refers = f"{CODE}  maker_id: {{from: PrefVendorRef.value, refers: accounts}}\n"
    use(connection, store(connection, text(include, "products", (CODE, refers))).version)

    pipeline.check_settings("sample", "run-1", BY_HAND)
    pipeline.extract("sample", "run-1")
    for module in plans()["sample"].tables:
        pipeline.transform("sample", "run-1", module)
        pipeline.load("sample", "run-1", module)
    pipeline.record_activity("sample", "run-1")

    assert next(iter(plans()["sample"].tables)) == "products"
    assert kept.crm("crm.products", item)["maker_id"] == kept.crm("crm.accounts", maker)["id"]


def test_status_tells_a_due_replay_by_what_is_in_force(
    kept: Kept,
    include: Path,
    connection: Connection[Any],
    command: Callable[..., tuple[int, str]],
) -> None:
    kept.sync()
    assert "replay is due" not in command("status")[1]

    use(connection, store(connection, text(include, "products", NO_CODE)).version)

    assert "products: a replay is due" in command("status")[1]


def test_status_tells_no_replay_for_what_becomes_of_sub_customers(
    kept: Kept, include: Path, command: Callable[..., tuple[int, str]]
) -> None:
    company = include / "companies" / "sample.yaml"
    company.write_text(company.read_text() + "child_accounts: roll_up\n")
    kept.sync()

    assert "replay is due" not in command("status")[1]


def test_a_company_that_leaves_and_comes_back_begins_with_its_files(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    use(connection, store(connection, text(include, "products", NO_CODE)).version)
    kept.sync()

    leaving.remove_company(connection, "sample", "keep", "ada")

    assert origin(connection) == "shared file products.yaml"
    assert [v.version for v in versions.versions(connection, "sample", "products")] == [1]
