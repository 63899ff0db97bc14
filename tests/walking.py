"""All pages that there are, found as a person finds them: by their links."""

import re
from collections import deque
from collections.abc import Callable, Iterator
from html import unescape
from urllib.parse import urljoin, urlsplit

from fastapi.routing import APIRoute

PAGES = "/quickbooks-crm"
NO_PAGES = {"/assets/{name}", "/csv/{realm}/{run_id}", "/mappings/{company}/{module}/yaml"}
"""What is fetched and not looked at."""

EACH = 3
"""How many addresses of a page are looked into for links."""


def routes() -> dict[str, APIRoute]:
    """Every page there is, also those of tomorrow, by the form of its address."""
    from quickbooks_crm.pages.app import app

    found = [route for route in app.routes if isinstance(route, APIRoute)]
    return {r.path: r for r in found if "GET" in r.methods and r.path not in NO_PAGES}


def addresses(text_of: Callable[[str], str], airflow: str) -> dict[str, list[str]]:
    """Addresses of each page, the first few that the links lead to from the first page on."""
    known = routes()
    found: dict[str, list[str]] = {path: [] for path in known}
    ahead, seen = deque([f"{airflow}{PAGES}/"]), set[str]()
    while ahead:
        address = ahead.popleft()
        path = _route(known, address)
        if path is None or address in seen or len(found[path]) == EACH:
            continue
        seen.add(address)
        found[path].append(address)
        ahead += _links(address, text_of(address))
    return found


def _links(address: str, text: str) -> list[str]:
    links = re.findall(r'<a [^>]*?href="([^"#]*)"', text)
    return [*(urljoin(address, unescape(link)) for link in links), *_by_forms(address)]


def _by_forms(address: str) -> Iterator[str]:
    """Where forms lead: to the page that follows a run, and to two records side by side."""
    if run := re.fullmatch(rf"(.*{PAGES})/runs/[^/]+/([^/?]+)", address):
        yield f"{run[1]}/started/sample/{run[2]}"
    if record := re.fullmatch(r"(.*/accounts)/record\?key=(\d+)", address):
        yield f"{record[1]}/same?key={record[2]}&entity=Customer&id=2"


def _route(known: dict[str, APIRoute], address: str) -> str | None:
    path = urlsplit(address).path
    if not path.startswith(f"{PAGES}/"):
        return None
    way = path.removeprefix(PAGES)
    return next((form for form, route in known.items() if route.path_regex.match(way)), None)
