"""What a person does to change a mapping without a file: store, compare, preview, Yes, go back."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Locator, expect

from demo.home import PROJECT
from tests.real_airflow import Demo

pytestmark = pytest.mark.slow

CODES = "SELECT count(*) FROM crm.products WHERE NOT deleted AND code IS DISTINCT FROM {}"


@pytest.fixture
def mapping(pages: FrameLocator, shown: Demo) -> Iterator[FrameLocator]:
    """The mapping of the products, from the start page; afterwards its file is in force."""
    _opened(pages)
    yield pages
    _as_the_file_says(shown)


def test_a_mapping_is_stored_previewed_put_in_force_with_a_yes_and_restored(
    mapping: FrameLocator, shown: Demo, tmp_path: Path
) -> None:
    pages = mapping
    text = _corrected(pages, tmp_path)
    _compared(pages)
    before = shown.query(CODES.format("quickbooks_product_id"))
    pages.get_by_role("button", name=re.compile(r"^Preview version")).first.click()

    yes = pages.get_by_role("button", name="Yes, import")
    expect(yes).to_be_visible()
    expect(pages.get_by_text("brought to the mapping, too")).to_be_visible()
    assert shown.query(CODES.format("quickbooks_product_id")) == before != [(0,)]
    yes.click()
    expect(pages.get_by_text("Imported. Products:")).to_be_visible()

    assert shown.query(CODES.format("quickbooks_product_id")) == [(0,)]
    _opened(pages)
    newest = pages.get_by_role("row").nth(1)
    expect(newest).to_contain_text("in force")
    _stored(pages, tmp_path, text)
    _use(pages, "Put in force…", "Put in force")
    _use(pages, "Restore…", "Restore")
    expect(_said(pages)).to_contain_text("in force from the next run on.")
    expect(newest).to_contain_text("in force")


def _opened(pages: FrameLocator) -> None:
    pages.get_by_label("QuickBooks", exact=True).get_by_role("link", name="Mappings").click()
    expect(pages.get_by_role("heading", level=1)).to_have_text("Mappings")
    pages.get_by_role("link", name="products", exact=True).click()
    expect(pages.get_by_role("heading", level=1)).to_have_text("Mapping of products")


def _corrected(pages: FrameLocator, folder: Path) -> str:
    """Another mapping is stored once the mistake in it is; the text of the one in force."""
    pages.get_by_role("button", name="Store a new version…").click()
    text = pages.get_by_label("Or write it here").input_value()
    assert "{from: Sku}" in text
    _brings(pages, folder, text.replace("{from: Sku}", "{form: Sku}"))
    pages.get_by_role("button", name="Store", exact=True).click()
    expect(pages.get_by_role("alert")).to_contain_text("is not a valid mapping (1 problem)")
    expect(pages.get_by_text(re.compile(r"line \d+: fields.code.form is not"))).to_be_visible()
    _brings(pages, folder, text.replace("{from: Sku}", "{from: Id}"))
    pages.get_by_role("button", name="Store", exact=True).click()
    expect(_said(pages)).to_contain_text("It is not in force yet.")
    return text


def _compared(pages: FrameLocator) -> None:
    pages.get_by_role("row").nth(1).get_by_role("link", name="Compare").click()
    expect(pages.get_by_role("row", name="fields.code changed")).to_contain_text("{from: Id}")
    pages.get_by_role("link", name=re.compile(": products")).click()


def _stored(pages: FrameLocator, folder: Path, text: str) -> None:
    pages.get_by_role("button", name="Store a new version…").click()
    _brings(pages, folder, text)
    pages.get_by_role("button", name="Store", exact=True).click()
    expect(_said(pages)).to_contain_text("It is not in force yet.")


def _use(pages: FrameLocator, opener: str, button: str) -> None:
    """Put the first version in force of which that can be asked, after the question."""
    pages.get_by_role("button", name=re.compile(f"^{opener}")).first.click()
    pages.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()
    expect(_said(pages)).to_contain_text("in force from the next run on.")


def _brings(pages: FrameLocator, folder: Path, text: str) -> None:
    """Choose a file of one's own."""
    file = folder / "products.yaml"
    file.write_text(text, encoding="utf-8")
    pages.get_by_label("A YAML file of yours").set_input_files(file)
    expect(pages.get_by_label("Or write it here")).to_have_value(text)


def _said(pages: FrameLocator) -> Locator:
    """What the page says of the last thing done."""
    return pages.get_by_role("status").first


def _as_the_file_says(shown: Demo) -> None:
    """The file is in force, and all products are as it says: other tests share the CRM."""
    use, replay = (
        f'"$1" -m quickbooks_crm {words} --company sample'
        for words in ("mapping-use products file", "replay --module products")
    )
    both = f'. "$0"/env && {use} && {replay}'
    done = subprocess.run(
        ["sh", "-c", both, str(shown.home.path), sys.executable],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
