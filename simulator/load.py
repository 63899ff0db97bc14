"""Brings real rows in: JSON files, one entity each, in any folder below a directory."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from simulator.company import Company
from simulator.entities import entity
from simulator.lists import company_info
from simulator.rows import Data, decode

_ALIASES = {"preference": "Preferences"}


def loaded(directory: Path | str) -> Company:
    """A company of the rows found below a directory; raises FileNotFoundError where nothing is."""
    company = Company()
    paths = sorted(Path(directory).rglob("*.json"))
    if not paths:
        raise FileNotFoundError(f"there is no JSON file in {directory}")
    for path in paths:
        for name, records in _records(path):
            company.load(name, records)
    if not company.table("CompanyInfo").rows:
        company.load("CompanyInfo", [company_info(company.clock.now())])
    return company


def _records(path: Path) -> Iterator[tuple[str, list[Data]]]:
    """Entity and rows of one file; nothing for files without rows, such as webhooks."""
    try:
        content = decode(path.read_bytes())
    except msgspec.DecodeError:
        return
    if isinstance(content, list):
        name = _entity_of(path.stem)
        if name:
            yield name, _with_id(content)
    elif isinstance(content, dict):
        yield from _in_envelope(content)


def _in_envelope(content: dict[str, Any]) -> Iterator[tuple[str, list[Data]]]:
    """Rows of a query's answer, or the one row of a read."""
    groups = content.get("QueryResponse")
    for key, value in (groups if isinstance(groups, dict) else content).items():
        about = entity(key)
        if about and isinstance(value, list | dict):
            yield about.name, _with_id(value if isinstance(value, list) else [value])


def _entity_of(stem: str) -> str | None:
    """`credit-memo`, `CreditMemo`, `credit_memos` all mean CreditMemo."""
    word = re.sub(r"[^a-z]", "", stem.lower())
    about = entity(_ALIASES.get(word, word)) or entity(word.removesuffix("s"))
    return about.name if about else None


def _with_id(records: list[Any]) -> list[Data]:
    return [
        record for record in records if isinstance(record, dict) and record.get("Id") is not None
    ]
