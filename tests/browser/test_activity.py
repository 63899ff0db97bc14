"""What a person sees of a run, in Airflow."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.browser.conftest import go_to

pytestmark = pytest.mark.slow


def test_the_first_run_is_in_the_list_with_its_counts(activity: FrameLocator) -> None:
    run = activity.get_by_role("row").filter(has_text="sample").last

    expect(run).to_contain_text("success")
    expect(run).to_contain_text(re.compile(r"products\s+[\d,]+ read"))
    expect(run).to_contain_text(re.compile(r"contacts\s+[\d,]+ read"))


def test_from_the_list_to_a_run_to_its_rows_and_back(page: Page, activity: FrameLocator) -> None:
    _first_run(activity)
    expect(activity.get_by_role("heading", level=1)).to_contain_text("sample")

    activity.get_by_role("row").filter(has_text="products").first.get_by_role("link").first.click()
    expect(activity.get_by_role("heading", level=1)).to_have_text("products")
    expect(activity.get_by_role("row").nth(1)).to_contain_text("Item")
    expect(page).to_have_url(
        re.compile(r"/plugin/quickbooks-activity/quickbooks-crm/runs/.*outcome=")
    )

    activity.get_by_label("Where you are").get_by_role("link", name="Activity").click()
    expect(activity.get_by_role("heading", level=1)).to_have_text("Activity")


def test_every_number_of_a_module_leads_to_as_many_rows(activity: FrameLocator) -> None:
    _first_run(activity)
    links = activity.get_by_role("row").filter(has_text="accounts").first.get_by_role("link")
    told = int(links.last.inner_text().replace(",", ""))

    links.last.click()
    activity.get_by_role("navigation", name="Outcomes").wait_for()

    assert activity.locator("tbody tr").count() == min(told, 100)


def test_the_frame_loads_a_page_once(page: Page, activity: FrameLocator) -> None:
    """Airflow loads it again when it mirrors its address differently from how it was written."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    _first_run(activity)
    expect(page).to_have_url(MIRRORED)
    page.wait_for_timeout(1000)  # what would be loaded again is asked for at once

    assert len([url for url in asked if "/quickbooks-crm/runs/" in url]) == 1


def test_a_deep_link_survives_a_reload(page: Page, activity: FrameLocator) -> None:
    _first_run(activity)
    title = activity.get_by_role("heading", level=1).inner_text()
    expect(page).to_have_url(MIRRORED)

    page.reload()

    expect(activity.get_by_role("heading", level=1)).to_have_text(title)


def test_the_link_to_the_airflow_run_leaves_the_frame(page: Page, activity: FrameLocator) -> None:
    _first_run(activity)

    activity.locator("dd a[data-airflow]").first.click()

    expect(page).to_have_url(re.compile(r"/dags/quickbooks_to_crm_sample/runs/"))
    expect(page.locator("iframe")).to_have_count(0)


def test_the_page_follows_airflows_light_and_dark_look(page: Page, activity: FrameLocator) -> None:
    looks = []
    for look in ("dark", "light"):
        page.evaluate(f"localStorage.setItem('theme', '{look}')")
        page.reload()
        activity.get_by_role("heading", level=1).wait_for()
        looks.append(activity.locator("html").get_attribute("data-look"))

    assert looks == ["dark", "light"]


def test_the_list_can_be_used_with_the_keyboard_in_a_narrow_window(
    page: Page, activity: FrameLocator
) -> None:
    page.set_viewport_size({"width": 420, "height": 800})
    activity.get_by_role("region", name="Runs").focus()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(activity.get_by_role("heading", level=1)).to_contain_text("UTC")
    assert activity.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth")


def test_records_are_found_by_name_and_the_name_stands_in_no_address(
    page: Page, activity: FrameLocator
) -> None:
    _first_run(activity)
    activity.get_by_role("row").filter(has_text="products").first.get_by_role("link").first.click()
    records = activity.get_by_role("region", name="Records", exact=True)
    name = records.locator("tbody th small bdi").last.inner_text()

    activity.get_by_label("QuickBooks id or name").fill(name[1:].upper())
    page.keyboard.press("Enter")

    expect(records.locator("tbody tr")).to_have_count(1)
    expect(records).to_contain_text(name)
    assert name[1:].upper() not in page.url.upper().replace("+", " ").replace("%20", " ")


def test_what_is_shown_is_taken_away_as_a_file(page: Page, activity: FrameLocator) -> None:
    _first_run(activity)

    with page.expect_download() as waiting:
        activity.get_by_role("link", name="Download all as CSV").click()

    file = Path(waiting.value.path()).read_bytes()
    assert file.startswith(b"\xef\xbb\xbfCompany,Run,Module")
    assert file.count(b"\n") > 10


def test_charts_show_what_their_tables_say(activity: FrameLocator) -> None:
    activity.get_by_role("link", name="Charts").click()

    charts = activity.locator("section.chart")
    expect(charts).to_have_count(6)
    first = charts.first
    assert first.locator("rect.mark").count() > 0
    first.get_by_text("The numbers").click()
    expect(first.get_by_role("table")).to_be_visible()


def test_an_undo_is_shown_before_it_is_done_and_a_no_leaves_all_as_it_is(
    page: Page, activity: FrameLocator
) -> None:
    _first_run(activity)
    activity.get_by_role("button", name="Undo this run").click()
    for module in ("products", "accounts"):
        activity.get_by_role("dialog").get_by_label(module, exact=True).uncheck()
    activity.get_by_role("button", name="Show what would be undone").click()

    switched_off = activity.get_by_role("button", name="Switch it on")
    no = activity.get_by_role("button", name="No, change nothing")
    expect(switched_off.or_(no)).to_be_visible()
    if switched_off.is_visible():
        switched_off.click()
    expect(no).to_be_visible()
    expect(activity.get_by_role("row").filter(has_text="contacts").first).to_be_visible()
    no.click()

    expect(activity.get_by_text("Not done.")).to_be_visible()
    activity.get_by_label("Where you are").get_by_role("link", name="Activity").click()
    expect(activity.get_by_role("row").nth(1)).to_contain_text("Preview of an undo")


@pytest.mark.parametrize("place", ["", "/tasks/extract"])
def test_airflows_own_page_of_a_run_and_of_a_task_leads_back(
    page: Page, activity: FrameLocator, place: str
) -> None:
    _first_run(activity)
    title = activity.get_by_role("heading", level=1).inner_text()
    run = str(activity.locator("dd a[data-airflow]").last.get_attribute("href"))
    address = page.url[: page.url.index("/plugin/")] + "/dags/" + run.split("dags/")[1]
    of_run, of_task = (
        "a[href*='plugin/quickbooks-" + of for of in ("dag_run']", "task_instance']")
    )
    back = page.locator(of_task if place else of_run)
    go_to(page, address.split("/tasks/")[0] + place, back)

    back.click()

    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text(title)


MIRRORED = re.compile("/plugin/quickbooks-activity/quickbooks-crm/runs/")
"""The address that Airflow has in the bar a moment after a run's page is there in its frame."""


def _first_run(activity: FrameLocator) -> None:
    """Open the oldest run of the list: the demo's first, the one that loaded everything."""
    activity.locator("tbody th a").last.click()
    activity.get_by_role("navigation", name="Where you are").wait_for()
