"""What a person reads of a page."""

import re
from html import unescape

import httpx


def text_of(answer: httpx.Response) -> str:
    """The words of a page, below its navigation, on one line."""
    body = answer.text.partition("<main>")[2]
    text = unescape(re.sub(r"<[^>]*>", " ", body))
    return re.sub(r"\s+", " ", text).replace(" ,", ",").replace(" .", ".")
