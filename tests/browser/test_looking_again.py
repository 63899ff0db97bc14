"""What shows how a run stands looks again by itself, until it has to show something else: in a
browser, before a server of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from quickbooks_crm import pages

SCRIPT = Path(pages.__file__).parent / "assets" / "forms.js"
WAITS = """<!doctype html><html data-root="./"><p id="said" hidden></p>
<section id="started" data-again="0.1">It begins in a moment.</section>
<script src="forms.js"></script></html>"""


class Pages(BaseHTTPRequestHandler):
    """A page that waits; what its address answers from the second time on is `later`."""

    later: tuple[int, str, str]
    asked: int

    def do_GET(self) -> None:
        if self.path == "/forms.js":
            self._say(200, SCRIPT.read_text(), kind="text/javascript")
        elif self.path == "/waits" and type(self).asked:
            self._say(*self.later)
        elif self.path == "/waits":
            type(self).asked += 1
            self._say(200, WAITS)
        else:
            self._say(200, "The page of the run.")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def _say(self, status: int, text: str, to: str = "", kind: str = "text/html") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        if to:
            self.send_header("location", to)
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def served(status: int, text: str, to: str) -> Iterator[str]:
    """The address of the page that waits, and answers so when it is asked again."""
    handler = type("Pages", (Pages,), {"later": (status, text, to), "asked": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/waits"
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "text", "to", "shown"),
    [
        (303, "", "/runs/one", "The page of the run."),
        (401, "Your session has ended.", "", "Your session has ended."),
        (404, "There is no such page.", "", "There is no such page."),
    ],
    ids=["led elsewhere", "session ended", "gone"],
)
def test_what_is_not_that_page_any_more_is_shown(
    chromium: Browser, status: int, text: str, to: str, shown: str
) -> None:
    with served(status, text, to) as address, chromium.new_context() as context:
        page = context.new_page()
        page.goto(address)

        expect(page.get_by_text(shown)).to_be_visible()


def test_a_moment_without_an_answer_is_waited_for(chromium: Browser) -> None:
    with served(503, "It does not answer.", "") as address, chromium.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.wait_for_timeout(1_000)

        expect(page.get_by_text("It begins in a moment.")).to_be_visible()
