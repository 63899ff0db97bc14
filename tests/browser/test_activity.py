"""What a person sees of a run, in Airflow."""

import re

import pytest
from playwright.sync_api import FrameLocator, Page, expect

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


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
    page.wait_for_load_state("networkidle")

    assert len([url for url in asked if "/quickbooks-crm/runs/" in url]) == 1


def test_a_deep_link_survives_a_reload(page: Page, activity: FrameLocator) -> None:
    _first_run(activity)
    title = activity.get_by_role("heading", level=1).inner_text()

    page.reload()

    expect(activity.get_by_role("heading", level=1)).to_have_text(title)


def test_the_link_to_the_airflow_run_leaves_the_frame(page: Page, activity: FrameLocator) -> None:
    _first_run(activity)

    activity.locator("a[data-airflow]").click()

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


def _first_run(activity: FrameLocator) -> None:
    """Open the oldest run of the list: the demo's first, the one that loaded everything."""
    activity.locator("tbody th a").last.click()
    activity.get_by_role("navigation", name="Where you are").wait_for()
