"""The files of the companies, and what is said of mistakes in them."""

from pathlib import Path
from textwrap import dedent

import pytest

from quickbooks_crm import companies, mapping
from quickbooks_crm.breakers import Threshold, Thresholds
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import SettingsError

PROJECT = Path(__file__).resolve().parents[2]


def company(directory: Path, file: str = "acme", **words: str) -> Path:
    """A folder with the file of one more company."""
    lines = {"name": "Acme", "quickbooks": f"quickbooks_{file}"} | words
    text = "".join(f"{word}: {written}\n" for word, written in lines.items() if written)
    (directory / f"{file}.yaml").write_text(text, encoding="utf-8")
    return directory


def problems(directory: Path, modules: list[str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as error:
        companies.load(directory, modules)
    return [line.strip() for line in str(error.value).splitlines() if line.startswith("  ")]


def test_a_company_is_what_its_file_says(tmp_path: Path) -> None:
    company(
        tmp_path,
        schedule='"7 * * * *"',
        modules="[products]",
        crm_company="A-1",
        reconcile="'@daily'",
    )

    [found] = companies.load(tmp_path).values()

    said = ("acme", "Acme", "quickbooks_acme", "7 * * * *", ("products",), "A-1")
    assert found == Company(*said, reconcile="@daily")


def test_what_is_not_said_has_its_usual_meaning(tmp_path: Path) -> None:
    found = companies.load_one(company(tmp_path), "acme")

    assert found == Company("acme", "Acme", "quickbooks_acme", None, None, "acme")


def test_a_company_takes_the_modules_it_names_or_all(tmp_path: Path) -> None:
    company(tmp_path, "some", modules="[products, accounts]")
    company(tmp_path, "all")

    found = companies.load(tmp_path)

    assert [found["some"].takes(module) for module in ("products", "contacts")] == [True, False]
    assert found["all"].takes("contacts")
    assert not found["all"].takes("vendors", by_name=True)
    assert found["some"].takes("products", by_name=True)


def test_the_mistakes_of_all_companies_come_in_one_message(tmp_path: Path) -> None:
    company(tmp_path, "a", modles="[products]")
    company(tmp_path, "b", name="", schedule="often", modules="products")

    with pytest.raises(SettingsError) as error:
        companies.load(tmp_path)

    assert str(error.value) == dedent("""\
        a.yaml is not a valid company (1 problem)
          line 3: modles is not a key here: 'modles'. Did you mean 'modules'?
        b.yaml is not a valid company (3 problems)
          line 1: name is missing. Write, for example, name: Sample company.
          line 2: schedule is not a schedule: 'often'. Write minute, hour, day, month and weekday, \
such as '7 * * * *', or one of @hourly, @daily, @weekly, @monthly, @quarterly, @yearly, \
or null to run by hand only.
          line 3: modules must be a list: 'products'. Write [products].
        Check again with: make mappings (a CRM of your own: python -m quickbooks_crm check)""")


def test_modules_that_have_no_mapping_are_named(tmp_path: Path) -> None:
    company(tmp_path, modules="[product, accounts]")

    assert problems(tmp_path, ["products", "accounts"]) == [
        "line 3: modules.1 has no mapping: 'product'. Did you mean 'products'?"
    ]


@pytest.mark.parametrize("word", ["quickbooks", "crm_company"])
def test_two_companies_may_not_share_what_tells_their_records_apart(
    tmp_path: Path, word: str
) -> None:
    """QuickBooks counts every company's records from 1: shared, they would become each other."""
    company(tmp_path, "a", **{word: "same"})
    company(tmp_path, "b", **{word: "same"})

    (said,) = problems(tmp_path)

    assert said.endswith(f"{word} is the same as in a.yaml: 'same'. Write another one.")


def test_a_company_names_the_mappings_of_its_own_and_may_take_a_module_only_they_make(
    tmp_path: Path,
) -> None:
    company(tmp_path, mappings="{accounts: acme/accounts.yaml}", modules="[products, accounts]")

    found = companies.load(tmp_path, ["products"])["acme"]

    assert found.mappings == {"accounts": "acme/accounts.yaml"}


@pytest.mark.parametrize(
    "name", ["own.yaml", "acme/own.yml", "../own.yaml", "/a/b.yaml", "A/b.yaml"]
)
def test_a_mapping_of_its_own_is_a_file_in_a_folder_of_include_mappings(
    tmp_path: Path, name: str
) -> None:
    """A file that lies among the others would be a module, and every company's."""
    company(tmp_path, mappings=f"{{accounts: {name}}}")

    assert problems(tmp_path) == [
        f"line 3: mappings.accounts is not a file in a folder of include/mappings: '{name}'. "
        "Write folder and file, in small letters, such as sample/accounts.yaml."
    ]


def test_a_company_says_who_owns_what_nobody_does_and_what_becomes_of_sub_customers(
    tmp_path: Path,
) -> None:
    company(tmp_path, "plain")
    company(tmp_path, "own", default_owner="U-100", child_accounts="roll_up")

    plain, own = (companies.load_one(tmp_path, name) for name in ("plain", "own"))

    usual = {"default_owner": None, "child_accounts": "child_account", "start_date": None}
    asked = {"default_owner": "U-100", "child_accounts": "roll_up", "start_date": None}
    assert plain.for_loads == usual | {"crm_company": "plain"}
    assert own.for_loads == asked | {"crm_company": "own"}


def test_a_policy_for_sub_customers_that_is_none_is_told(tmp_path: Path) -> None:
    company(tmp_path, child_accounts="rollup")

    assert problems(tmp_path) == [
        "line 3: child_accounts cannot be: 'rollup'. Did you mean 'roll_up'?"
    ]


@pytest.mark.parametrize(
    "schedule",
    ["7 * * * *", "*/15 6-20 * * mon-fri", "0 0 1,15 jan,JUL 0", "5/10 * * * 7", "@daily"],
)
def test_a_schedule_is_a_cron_expression(tmp_path: Path, schedule: str) -> None:
    company(tmp_path, schedule=f"'{schedule}'")

    assert companies.load_one(tmp_path, "acme").schedule == schedule


@pytest.mark.parametrize(
    "schedule",
    ["60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "* * * * monday",
     "*/0 * * * *", "1,, * * * *", "1-2-3 * * * *", "* * * *", "* * * * * *", "@often",
     "١ * * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(tmp_path: Path, schedule: str) -> None:
    company(tmp_path, schedule=f"'{schedule}'")

    (said,) = problems(tmp_path)

    assert said.startswith(f"line 3: schedule is not a schedule: '{schedule}'.")


def test_no_schedule_means_by_hand_only(tmp_path: Path) -> None:
    assert companies.load_one(company(tmp_path, schedule="null"), "acme").schedule is None


@pytest.mark.parametrize(
    ("schedule", "written", "meant"),
    [
        ('"@daily"', "", companies.WEEKLY),
        ('"@daily"', "null", None),
        ('"@daily"', '"@monthly"', "@monthly"),
        ("null", "", None),
        ("null", '"@monthly"', "@monthly"),
    ],
)
def test_a_company_with_a_schedule_is_reconciled_weekly_if_it_does_not_say(
    tmp_path: Path, schedule: str, written: str, meant: str | None
) -> None:
    found = companies.load_one(company(tmp_path, schedule=schedule, reconcile=written), "acme")

    assert found.reconcile == meant


@pytest.mark.parametrize("name", ["../mappings/products", "", "acme.yaml", "acm", "/etc/passwd"])
def test_only_a_company_with_a_file_is_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"^There is no company "):
        companies.load_one(company(tmp_path), name)


def test_a_mistake_in_one_file_does_not_keep_another_company_from_its_own(tmp_path: Path) -> None:
    company(company(tmp_path), "broken", nmae="x")

    assert companies.load_one(tmp_path, "acme").title == "Acme"


def test_a_file_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").symlink_to(tmp_path / "gone")

    assert problems(tmp_path) == [
        "line 1: the file cannot be read (No such file or directory). Let Airflow's user read it, "
        "or remove it."
    ]


def test_a_folder_without_companies_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^There are no companies: "):
        companies.load(tmp_path)


def test_the_company_that_ships_is_valid() -> None:
    modules = list(mapping.load(PROJECT / "include" / "mappings"))

    found = companies.load(PROJECT / "include" / "companies", modules)

    assert found["sample"].quickbooks == "quickbooks_sample"


def test_a_company_may_have_breakers_of_its_own(tmp_path: Path) -> None:
    company(tmp_path, breakers="{mass_delete: {percent: 20, always_above: 2000}}")

    assert companies.load_one(tmp_path, "acme").breakers == Thresholds(
        mass_delete=Threshold(percent=20, at_least=20, always_above=2000)
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "{mass_delete: {percent: 0}}",
            "breakers.mass_delete.percent cannot be: '0'. Write a whole number from 1 to 100.",
        ),
        (
            "{mass_delete: {at_least: many}}",
            "breakers.mass_delete.at_least cannot be: 'many'. "
            "Write a whole number from 1 to 1,000,000,000.",
        ),
        (
            "{mass_change: {always_above: 5}}",
            "breakers.mass_change.always_above is not a key here: 'always_above'. "
            "Write one of: percent, at_least.",
        ),
        (
            "{mass_deletes: {percent: 5}}",
            "breakers.mass_deletes is not a key here: 'mass_deletes'. Did you mean 'mass_delete'?",
        ),
        (
            "off",
            "breakers must be a group of words. "
            "Write, for example, breakers: {mass_delete: {percent: 10}}.",
        ),
        ("{mass_change: }", "breakers.mass_change has no value. Write one, or remove it."),
    ],
)
def test_a_mistake_in_a_breaker_is_told_with_its_remedy(
    tmp_path: Path, written: str, said: str
) -> None:
    assert problems(company(tmp_path, breakers=written)) == [f"line 3: {said}"]


def test_a_company_may_begin_with_documents_of_a_day(tmp_path: Path) -> None:
    company(tmp_path, start_date="2024-01-31")

    assert companies.load_one(tmp_path, "acme").start_date == "2024-01-31"


@pytest.mark.parametrize("day", ["2024-02-30", "01/02/2024", "20240102", "soon"])
def test_a_start_date_must_be_a_day(tmp_path: Path, day: str) -> None:
    company(tmp_path, start_date=day)

    assert problems(tmp_path) == [
        f"line 3: start_date is not a day: '{day}'. Write year-month-day, such as 2024-01-01."
    ]
