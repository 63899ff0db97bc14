"""Which mapping is in force is on a page, with the versions that there are and what may be done."""

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg import Connection

from quickbooks_crm import companies, database, in_force, versions
from quickbooks_crm.versions import New
from tests.acceptance.kept_in_step import own_include

# Airflow's own way of reading .airflowignore.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

FROM_A_PAGE = {"sec-fetch-site": "same-origin", "content-type": "application/json"}
HERE = "/quickbooks-crm/mappings/sample/products"
NO_CODE = ("  code:                  {from: Sku}\n", "")
CODE_IS_ID = ("{from: Sku}", "{from: Id}")


@pytest.fixture
def include(
    connection: Connection[Any], crm: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    """The folder of mappings and companies that the test may change; the CRM has its company."""
    include = own_include(tmp_path, monkeypatch)
    database.add_companies(connection, include / "crm", {"sample": "Sample company"})
    connection.commit()
    return include


@pytest.fixture
def operator(
    anonymous: httpx.Client, signed_in_as: Callable[[str], None], include: Path
) -> httpx.Client:
    """A browser in which somebody is signed in who may change mappings."""
    signed_in_as("op")
    return anonymous


def text(include: Path, *changes: tuple[str, str]) -> str:
    """The shared file of the products, changed."""
    found = (include / "mappings" / "products.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in found
        found = found.replace(old, new)
    return found


def edit(include: Path, *changes: tuple[str, str]) -> None:
    (include / "mappings" / "products.yaml").write_text(text(include, *changes), "utf-8")


def stored(connection: Connection[Any], content: str, based_on: int = 0, who: str = "ada") -> int:
    """Somebody else stores a version."""
    new = New("products", content, based_on, who, "page", "<b>why</b>")
    number = in_force.store(connection, _sample(), new).version
    connection.commit()
    return number


def chosen(connection: Connection[Any], number: int | None) -> None:
    """Somebody else puts a version in force."""
    in_force.use(connection, _sample(), "products", number, "grace")
    connection.commit()


def _sample() -> companies.Company:
    return companies.load_one(companies.INCLUDE / "companies", "sample")


def sent(browser: httpx.Client, act: str, **values: Any) -> httpx.Response:
    return browser.post(f"{HERE}/{act}", headers=FROM_A_PAGE, json=values)


def shown(browser: httpx.Client, address: str = HERE) -> str:
    """What a person reads on a page, on one line; what dialogs say is not there yet."""
    answer = browser.get(address)
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<dialog.*?</dialog>", "", answer.text.partition("<main>")[2], flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", body)))


def origin(connection: Connection[Any]) -> str:
    connection.rollback()
    return in_force.origins(connection, _sample())["products"].words


# What is in force


def test_every_mapping_is_told_with_where_it_is_from(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    chosen(connection, stored(connection, text(include, NO_CODE)))

    said = shown(viewer, "/quickbooks-crm/mappings")

    assert re.search(
        r"products Version 1 since 20\S+ \S+ UTC by grace include/mappings/products.yaml "
        r"says something else, and is not used 1 20\S+ \S+ UTC by ada",
        said,
    )
    assert "accounts The shared file include/mappings/accounts.yaml none" in said
    assert "invoices" not in said


def test_a_module_that_is_had_by_name_is_shown_to_companies_that_name_it(
    include: Path, viewer: httpx.Client
) -> None:
    edit(include, ("table: crm.products\n", "table: crm.products\nby_name: true\n"))
    named = viewer.get(HERE).status_code
    company = include / "companies" / "sample.yaml"
    company.write_text(re.sub("modules: .*\n", "", company.read_text()))

    assert (named, viewer.get(HERE).status_code) == (200, 404)
    assert "products" not in shown(viewer, "/quickbooks-crm/mappings")


def test_a_version_that_nobody_put_in_force_is_seen(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    stored(connection, text(include, NO_CODE))

    assert "UTC by ada not in force" in shown(viewer, "/quickbooks-crm/mappings")
    assert "Used by runs The shared file" in shown(viewer)


def test_without_a_version_the_page_says_what_one_would_be(
    include: Path, operator: httpx.Client
) -> None:
    assert (
        "Nobody has stored a version for this company. Runs use the file. A version you store "
        "replaces it wholly, once it is put in force."
    ) in shown(operator)


def test_a_file_that_was_changed_and_is_not_used_is_told(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    chosen(connection, stored(connection, text(include, NO_CODE)))

    edit(include, CODE_IS_ID)

    assert "products.yaml was changed since version 1 was put in force." in shown(viewer)
    assert "was changed since, and is not used" in shown(viewer, "/quickbooks-crm/mappings")


def test_what_keeps_mappings_from_being_used_is_told_where_it_can_be_mended(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    stored(connection, text(include))
    edit(include, ("mode: merge", "mode: marge"))

    assert "its runs stop. products.yaml is not a valid mapping (1 problem)" in shown(operator)
    assert sent(operator, "use", which="1", seen=0).status_code == 200
    assert "its runs stop" not in shown(operator)


def test_a_company_whose_file_cannot_be_read_keeps_no_other_from_being_shown(
    include: Path, viewer: httpx.Client
) -> None:
    (include / "companies" / "broken.yaml").write_text("name: [", encoding="utf-8")

    said = shown(viewer, "/quickbooks-crm/mappings")

    assert "broken.yaml is not a valid company" in said
    assert "products The shared file" in said


@pytest.mark.parametrize(
    "address",
    [
        "/quickbooks-crm/mappings/sample/wares",
        "/quickbooks-crm/mappings/sample/invoices",
        "/quickbooks-crm/mappings/other/products",
        f"{HERE}/compare?one=7",
        f"{HERE}/compare?one={'7' * 5_000}",
        f"{HERE}/compare?other=new",
        f"{HERE}/yaml?which=99999999999",
    ],
)
def test_what_is_not_there_is_no_page(include: Path, viewer: httpx.Client, address: str) -> None:
    assert viewer.get(address).status_code == 404


# Versions


def test_versions_are_listed_with_who_when_and_what_changed(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    stored(connection, text(include))
    stored(connection, text(include, NO_CODE), 1, "grace")

    said = shown(viewer)

    assert re.search(
        r"2 20\S+ \S+ UTC by grace ?, with the form of Import <b>why</b> "
        r"fields.code removed: {from: Sku} .*"
        r"1 20\S+ \S+ UTC by ada ?, with the form of Import <b>why</b> the first one",
        said,
    )
    assert "<b>why</b>" not in viewer.get(HERE).text


def test_many_versions_are_shown_a_page_at_a_time(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    for number in range(23):
        stored(connection, f"{text(include)}# {number}\n", number)

    def numbers(address: str) -> list[int]:
        rows = re.findall(r'<th scope="row">(\d+)', viewer.get(address).text)
        return [int(number) for number in rows]

    assert numbers(HERE) == list(range(23, 3, -1))
    assert 'href="../../mappings/sample/products?before=4"' in viewer.get(HERE).text
    assert numbers(f"{HERE}?before=4") == [3, 2, 1]


def test_any_two_can_be_compared_in_words_and_line_by_line(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    stored(connection, text(include, CODE_IS_ID))
    stored(connection, text(include, NO_CODE), 1)

    said = shown(viewer, f"{HERE}/compare?one=1&other=2")

    assert "From products, version 1 to products, version 2" in said
    assert "fields.code removed {from: Id} not there" in said
    assert "- code: {from: Id}" in said
    assert "Both say the same." in shown(viewer, f"{HERE}/compare?one=file&other=in-force")


def test_a_mapping_is_downloaded_as_the_file_that_it_is(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    chosen(connection, stored(connection, text(include, NO_CODE)))

    for which, content in {"file": text(include), "1": text(include, NO_CODE)}.items():
        answer = viewer.get(f"{HERE}/yaml?which={which}")
        assert answer.text == content
        assert answer.headers["content-disposition"] == 'attachment; filename="products.yaml"'
    assert viewer.get(f"{HERE}/yaml").text == text(include, NO_CODE)


# What a person does


def test_what_a_person_stores_is_a_version_and_not_in_force(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    new = text(include, NO_CODE)

    answer = sent(operator, "store", content=new.replace("\n", "\r\n"), based_on=0, note="a\0b")

    assert answer.json() == {
        "go": "mappings/sample/products",
        "said": "Stored as version 1 of products. It is not in force yet.",
    }
    [version] = versions.versions(connection, "sample", "products")
    assert (version.content, version.made_by, version.origin) == (new, "op", "upload")
    assert version.note == "ab"
    assert origin(connection) == "shared file products.yaml"


def test_all_that_is_wrong_is_told_line_by_line_beside_the_text(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    wrong = text(include, ("mode: merge", "mode: marge"), ("{from: Sku}", "{form: Sku}"))

    answer = sent(operator, "store", content=wrong, based_on=0, note="")

    assert answer.status_code == 422
    assert answer.json()["message"] == "products, version 1 is not a valid mapping (2 problems)"
    said = answer.json()["fields"]["content"].splitlines()
    assert [line.partition(": ")[2] for line in said[:2]] == [
        "import.mode cannot be: 'marge'. Did you mean 'merge'?",
        "fields.code.form is not a key here: 'form'. Did you mean 'from'?",
    ]
    assert said[2:] == ["Nothing was stored. Correct the text, and store it again."]
    assert versions.versions(connection, "sample", "products") == []


def test_what_does_not_fit_the_table_is_told_the_same_way(
    include: Path, operator: httpx.Client
) -> None:
    wrong = text(include, ("  code:  ", "  kode:  "))

    told = sent(operator, "store", content=wrong, based_on=0, note="").json()

    assert told["message"] == "The mappings do not fit the CRM:"
    assert re.match(r"products, version 1 line \d+: .*kode", told["fields"]["content"])


@pytest.mark.parametrize("content", ["", "a: \0", "a: \ud800", "x" * 300_000])
def test_a_text_of_any_kind_is_answered_in_words(
    include: Path, operator: httpx.Client, content: str
) -> None:
    body = f'{{"content": {json.dumps(content)}, "based_on": 0, "note": ""}}'

    answer = operator.post(f"{HERE}/store", headers=FROM_A_PAGE, content=body.encode())

    assert answer.status_code == 422
    assert "is not a valid mapping" in answer.json()["message"] or content == "a: \ud800"


def test_of_two_who_edit_the_second_is_told_of_the_first_and_buries_nothing(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    stored(connection, text(include, NO_CODE))

    answer = sent(operator, "store", content=text(include, CODE_IS_ID), based_on=0, note="")

    assert answer.status_code == 409
    assert "ada has stored version 1 of products for company sample" in answer.json()["message"]
    assert len(versions.versions(connection, "sample", "products")) == 1


def test_a_version_and_the_file_are_put_in_force(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    stored(connection, text(include, NO_CODE))

    said = sent(operator, "use", which="1", seen=0).json()["said"]
    assert said == "Version 1 is in force from the next run on."
    assert re.match(r"version 1, since .* by op;", origin(connection))

    said = sent(operator, "use", which="file", seen=1).json()["said"]
    assert said == "The file is in force from the next run on."
    assert origin(connection) == "shared file products.yaml"


@pytest.mark.parametrize("act", ["use", "restore"])
def test_who_did_not_see_the_last_choice_is_told_of_it(
    connection: Connection[Any], include: Path, operator: httpx.Client, act: str
) -> None:
    stored(connection, text(include, NO_CODE))
    stored(connection, text(include, CODE_IS_ID), 1)
    chosen(connection, 2)
    wish = {"which": "1"} if act == "use" else {"version": 1, "based_on": 2}

    answer = sent(operator, act, seen=0, **wish)

    assert answer.status_code == 409
    assert "grace has put version 2 of products in force" in answer.json()["message"]
    assert origin(connection).startswith("version 2")


def test_an_earlier_version_is_restored_as_the_newest_one(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    stored(connection, text(include, NO_CODE))
    chosen(connection, stored(connection, text(include, CODE_IS_ID), 1))

    said = sent(operator, "restore", version=1, based_on=2, seen=1).json()["said"]

    assert said == "Version 1 is back as version 3, in force from the next run on."
    newest = versions.versions(connection, "sample", "products")[0]
    assert (newest.version, newest.origin, newest.note) == (3, "restore", "version 1 again")
    assert newest.content == text(include, NO_CODE)
    assert origin(connection).startswith("version 3, since")


def test_what_no_longer_fits_is_not_restored_and_leaves_no_version(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    stored(connection, text(include))
    stored(connection, text(include, NO_CODE), 1)
    connection.execute("ALTER TABLE crm.products DROP COLUMN code CASCADE")
    connection.commit()

    answer = sent(operator, "restore", version=1, based_on=2, seen=0)

    assert answer.status_code == 409
    assert "products, version 3 line" in answer.json()["message"]
    assert [v.version for v in versions.versions(connection, "sample", "products")] == [2, 1]


def test_a_preview_of_a_version_is_begun_by_the_browser(
    connection: Connection[Any], include: Path, operator: httpx.Client, connected: None
) -> None:
    stored(connection, text(include, NO_CODE))

    assert sent(operator, "preview", version=1).json() == {
        "begin": "preview_sample",
        "conf": {"modules": ["products"], "versions": {"products": 1}, "read": True},
        "then": "started/sample/",
    }
    assert sent(operator, "preview", version=2).status_code == 409


def test_a_preview_is_not_begun_where_nothing_can_be_read(
    connection: Connection[Any], include: Path, operator: httpx.Client
) -> None:
    stored(connection, text(include, NO_CODE))

    answer = sent(operator, "preview", version=1)

    assert answer.status_code == 409
    assert "is not connected to QuickBooks" in answer.json()["message"]


def test_who_may_only_look_sees_nothing_to_press(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    chosen(connection, stored(connection, text(include, NO_CODE)))

    page = viewer.get(HERE).text

    assert "<dialog" not in page and "<button" not in page
    assert "Download as YAML" in page and "Compare" in page


def test_a_mapping_may_hold_anything_and_is_shown_as_text(
    connection: Connection[Any], include: Path, viewer: httpx.Client
) -> None:
    strange = text(include, NO_CODE) + "# <script>alert(1)</script> </textarea>\n"
    chosen(connection, stored(connection, strange))

    for address in (HERE, f"{HERE}/compare"):
        assert "<script>alert" not in viewer.get(address).text
    assert "<script>alert(1)</script> </textarea>" in shown(viewer)
