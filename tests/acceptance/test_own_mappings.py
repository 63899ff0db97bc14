"""A company may use mappings of its own: a file, or a stored version. Which is in force is always
told, and every stage of a run keeps to it."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from quickbooks_crm import (
    asking,
    companies,
    database,
    in_force,
    leaving,
    pipeline,
    previewing,
    repeating,
    versions,
)
from quickbooks_crm.__main__ import main
from quickbooks_crm.errors import (
    MappingError,
    MappingOutdated,
    SettingsError,
)
from quickbooks_crm.plans import plans
from quickbooks_crm.running import Request
from quickbooks_crm.versions import New, Version
from tests.acceptance.kept_in_step import BY_HAND, Kept, kept_in_step, own_include, said_yes

CODE = "  code:                  {from: Sku}\n"
NO_CODE = (CODE, "")
CODE_IS_ID = ("{from: Sku}", "{from: Id}")
OTHER_NOTES = ("{from: Description}", "{from: PurchaseDesc}")


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of mappings and companies that the test may change."""
    return own_include(tmp_path, monkeypatch)


@pytest.fixture
def kept(include: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    with kept_in_step(database_url, monkeypatch, customers=6, items=3) as company:
        yield company


@pytest.fixture
def connection(include: Path, crm: str) -> Iterator[Connection[Any]]:
    """The CRM, with the company in it and no QuickBooks."""
    with psycopg.connect(crm, autocommit=True) as connection:
        database.add_companies(connection, include / "crm", {"sample": "Sample company"})
        yield connection


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command for the company; its exit code, and what it printed."""

    def run(*words: str) -> tuple[int, str]:
        code = main((*words, "--company", "sample"))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


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


def preview(kept: Kept, **asked: Any) -> str:
    run_id = kept.new_run_id()
    with database.connect() as connection:
        in_force.offer(connection, sample(), asked.get("versions", {}), "grace")
    previewing.sync("sample", run_id, Request("manual", "ada", **asked), read=True)
    return run_id


def after_a_yes(kept: Kept, previewed: str) -> str:
    run_id = kept.new_run_id()
    said_yes(previewed)
    pipeline.sync("sample", run_id, Request("manual", None, previewed=previewed))
    return run_id


def outcomes(kept: Kept, run_id: str) -> list[dict[str, Any]]:
    return kept.ask(
        "SELECT module, entity, id, outcome, reason, after ->> 'code' AS code FROM sync.outcome "
        "WHERE run_id = %s ORDER BY 1, 2, 3",
        run_id,
    )


# A file of the company's own


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
        in_force.of_files(companies.load_one(include / "companies", name))
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


# Stored versions


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
        (("  name:  ", "  #name:  "), SettingsError, "products: Product name"),
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
        "Company sample does not take products.\n",
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


# Previewed before it is in force


def test_a_version_can_be_previewed_before_it_is_in_force(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    coded(kept)
    store(connection, text(include, "products", NO_CODE))

    run_id = preview(kept, versions={"products": 1})

    assert {row["code"] for row in outcomes(kept, run_id)} == {None}
    assert origin(connection) == "shared file products.yaml"
    assert "A Yes puts in force: products, version 1. It imports with" in asking.question(
        "sample", run_id
    )


def test_a_yes_puts_the_previewed_versions_in_force_and_imports_with_them(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    coded(kept)
    store(connection, text(include, "products", NO_CODE))
    previewed = preview(kept, versions={"products": 1})

    done = after_a_yes(kept, previewed)

    assert outcomes(kept, done) == outcomes(kept, previewed)
    assert origin(connection) == ("version 1, since NOW by ada; not the same as products.yaml")
    assert kept.sync().warnings == ()
    assert codes(kept) == {None}


def test_a_yes_that_airflow_repeats_puts_nothing_in_force_twice(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    store(connection, text(include, "products", NO_CODE))
    request = Request("manual", None, previewed=preview(kept, versions={"products": 1}))
    said_yes(request.previewed)

    pipeline.check_settings("sample", "the-sync", request)
    pipeline.check_settings("sample", "the-sync", request)

    assert len(kept.ask("SELECT choice FROM sync.mapping_choice")) == 1


@pytest.mark.parametrize("meanwhile", [2, None])
def test_a_yes_to_what_is_not_the_last_word_any_more_is_refused(
    kept: Kept, include: Path, connection: Connection[Any], meanwhile: int | None
) -> None:
    store(connection, text(include, "products", NO_CODE))
    store(connection, text(include, "products", OTHER_NOTES), 1)
    previewed = preview(kept, versions={"products": 1})
    use(connection, meanwhile)

    with pytest.raises(MappingOutdated) as error:
        after_a_yes(kept, previewed)

    what = f"version {meanwhile}" if meanwhile else "the file"
    assert f"grace has put {what} of products in force for company sample" in str(error.value)
    assert f"since preview {previewed} showed version 1" in str(error.value)
    assert kept.ask("SELECT id FROM crm.products") == []
    assert len(kept.ask("SELECT choice FROM sync.mapping_choice")) == 1


def test_a_preview_of_a_version_that_is_not_there_says_so(kept: Kept) -> None:
    with pytest.raises(SettingsError, match="Company sample has no version 7 of products"):
        preview(kept, versions={"products": 7})
    with pytest.raises(SettingsError, match="There is no mapping for wares"):
        preview(kept, versions={"wares": 1})


# Who may only start runs


def ask_for_preview(kept: Kept, **asked: Any) -> None:
    """Start a preview as Airflow's own API lets anybody do who may start runs."""
    request = Request("manual", "eve", **asked)
    previewing.check_settings("sample", kept.new_run_id(), request)


def offered(connection: Connection[Any], version: int) -> None:
    in_force.offer(connection, sample(), {"products": version}, "grace")


@pytest.fixture
def two_versions(kept: Kept, include: Path, connection: Connection[Any]) -> Kept:
    store(connection, text(include, "products", NO_CODE))
    store(connection, text(include, "products", OTHER_NOTES), 1)
    return kept


REFUSED = "Version 1 of products is not in force for company sample, and was not offered"


def test_a_version_that_nobody_offered_is_not_previewed(two_versions: Kept) -> None:
    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_the_last_offer_is_the_one_that_counts(
    two_versions: Kept, connection: Connection[Any]
) -> None:
    offered(connection, 1)
    offered(connection, 2)

    ask_for_preview(two_versions, versions={"products": 2})
    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_an_offer_ends_after_a_day(two_versions: Kept, connection: Connection[Any]) -> None:
    offered(connection, 1)
    connection.execute("UPDATE sync.mapping_offer SET offered_at = now() - interval '25 hours'")

    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_an_offer_ends_when_something_else_is_put_in_force(
    two_versions: Kept, connection: Connection[Any]
) -> None:
    offered(connection, 1)
    use(connection, 2)

    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})
    ask_for_preview(two_versions, versions={"products": 2})


def test_an_offer_ends_with_a_no(two_versions: Kept) -> None:
    previewed = preview(two_versions, versions={"products": 1})
    asking.answered("sample", previewed, "No", {"said": "No", "by": "ada"})

    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_a_sync_takes_no_versions_however_it_is_asked(
    two_versions: Kept, connection: Connection[Any]
) -> None:
    offered(connection, 1)

    with pytest.raises(SettingsError, match="A run of the kind sync takes the mappings in force"):
        pipeline.check_settings("sample", "r", Request("manual", "eve", versions={"products": 1}))


# The commands


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def stored_as(
    command: Callable[..., tuple[int, str]], file: Path, content: str, *words: str
) -> tuple[int, str]:
    file.write_text(content, encoding="utf-8")
    return command("mapping-store", "products", str(file), *words)


def test_a_mapping_is_stored_previewed_compared_and_put_in_force_by_commands(
    kept: Kept,
    include: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str]],
) -> None:
    file = tmp_path / "mine.yaml"
    new = text(include, "products", NO_CODE)

    assert "Stored as version 1 of products." in stored_as(command, file, new, "--based-on", "0")[1]
    assert command("preview", "--read", "--version", "products=1")[0] == 0
    compared = command("mapping-compare", "products", "file", "1")[1].splitlines()
    assert compared[:4] == [
        "fields.code removed: {from: Sku}",
        "",
        "--- products.yaml",
        "+++ products, version 1",
    ]
    assert "version 1, since" in command("mapping-use", "products", "1")[1]
    assert command("mapping-show", "products") == (0, new)
    assert command("mapping-show", "products", "file") == (0, text(include))
    told = command("mappings")[1].splitlines()
    assert told[0] == "sample"
    assert told[1].startswith("  products: version 1, since ")
    assert told[2] == "  accounts: shared file accounts.yaml"


def test_the_versions_of_a_mapping_are_listed_with_what_each_changed(
    connection: Connection[Any],
    include: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str]],
) -> None:
    file = tmp_path / "mine.yaml"
    stored_as(command, file, text(include), "--based-on", "0", "--note", "the beginning")
    stored_as(command, file, text(include, "products", NO_CODE), "--based-on", "1")
    command("mapping-use", "products", "1")

    said = command("mapping-versions", "products")[1].splitlines()

    assert re.fullmatch(r"2  .* UTC by \w+, upload", said[0])
    assert said[1] == "    fields.code removed: {from: Sku}"
    assert re.fullmatch(r"1 \(in force\)  .* UTC by \w+, upload: the beginning", said[2])


def test_programs_are_told_the_same_as_json(
    connection: Connection[Any],
    include: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str]],
) -> None:
    new = text(include, "products", NO_CODE)
    stored = stored_as(command, tmp_path / "mine.yaml", new, "--based-on", "0", "--json")[1]

    assert objects(stored) == [{"company": "sample", "module": "products", "version": 1}]
    [first, *_] = objects(command("mappings", "--json")[1])
    assert (first["from"], first["version"], first["newest_version"]) == ("shared file", None, 1)
    [version] = objects(command("mapping-versions", "products", "--json")[1])
    assert (version["version"], version["in_force"], version["origin"]) == (1, False, "upload")
    [compared] = objects(command("mapping-compare", "products", "file", "1", "--json")[1])
    assert [each["kind"] for each in compared["words"]] == ["removed"]
    [shown] = objects(command("mapping-show", "products", "1", "--json")[1])
    assert shown == {"module": "products", "name": "products, version 1", "mapping": new}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mapping-use", "products", "9"), "Company sample has no version 9 of products."),
        (("mapping-use", "products", "99999999999"), "has no version 99999999999 of products."),
        (("mapping-use", "products", "new"), "'new' is no version. Write its number, or file"),
        (("mapping-use", "wares", "file"), "There is no mapping for wares."),
        (("mapping-show", "wares"), "There is no mapping for wares."),
        (("mapping-store", "products", "/no/such", "--based-on", "0"), "/no/such cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    connection: Connection[Any],
    command: Callable[..., tuple[int, str]],
    words: Sequence[str],
    said: str,
) -> None:
    code, printed = command(*words)

    assert code == 2
    assert said in printed


def test_a_file_that_is_no_text_is_refused(
    connection: Connection[Any], tmp_path: Path, command: Callable[..., tuple[int, str]]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes("entities: [Item]".encode("utf-16"))

    code, said = command("mapping-store", "products", str(file), "--based-on", "0")

    assert code == 2
    assert "line 1: the file is UTF-16. Save it as UTF-8." in said
