"""What stands on a page and would turn the words beside it around."""

from html.parser import HTMLParser

import httpx

FROM_THE_RIGHT = "\u202e"
"""Whatever follows it on the same line is shown from the right to the left."""
ALONE = {"bdi", "title", "option", "textarea"}
"""What stands in these turns nothing around but itself."""


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.spilling: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if FROM_THE_RIGHT in data and not ALONE.intersection(self._open):
            self.spilling.append(data.strip())


def spilling(page: str) -> list[str]:
    """The texts of a page that are written from the right and do not stand alone."""
    texts = _Texts()
    texts.feed(page)
    return texts.spilling


def each_stands_alone(answer: httpx.Response) -> None:
    """No text of a page may turn around what stands beside it."""
    if answer.headers.get("content-type", "").startswith("text/html"):
        answer.read()
        spilled = spilling(answer.text)
        assert not spilled, f"{answer.url}: {spilled}"
