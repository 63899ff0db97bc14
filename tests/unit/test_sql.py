"""Every SQL statement has a name and a place, and every module knows only what it may."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from quickbooks_crm import sql
from quickbooks_crm.sql import statements

PACKAGE = Path(sql.__file__).parents[1]
STAGES = sorted(file.stem for file in sql.HERE.glob("*.sql"))
FILES = sorted(PACKAGE.rglob("*.py"))

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "mapping": {"errors", "mapping"},
    "images": set(),
    "items": set(),
    "documents": {"images"},
    "transform": {"documents", "images", "mapping"},
    "column_rules": {"catalog", "items", "transform"},
    "check": {
        *("column_rules", "catalog", "documents", "errors", "images", "json_types", "mapping"),
        "transform",
    },
    "catalog": {"catalog_rows", "errors", "mapping", "refusals", "sql"},
    "runs": {"errors", "images", "mapping", "sql"},
    "breakers": {"errors", "runs", "sql"},
    "picking": {"mapping", "sql"},
    "json_types": {"catalog", "mapping", "picking", "sql", "transform"},
    "stage": {
        *(
            "by_place",
            "catalog",
            "copying",
            "documents",
            "images",
            "items",
            "json_types",
            "mapping",
        ),
        *("picking", "runs", "sql", "transform"),
    },
    "dedupe": {"by_place", "catalog", "images", "mapping", "sql"},
    "by_place": {"sql"},
    "erased": {"sql"},
    "judge": {"breakers", "errors", "sql"},
    "keywords": {"catalog", "dedupe", "errors", "mapping", "refusals", "sql"},
    "owners": {"catalog", "dedupe", "errors", "mapping", "sql"},
    "edits": {"catalog", "dedupe", "quantity", "sql"},
    "notes": {"sql"},
    "circles": {"dedupe", "sql"},
    "oddities": {"mapping", "quantity", "sql"},
    "stand_ins": {"mapping", "picking", "runs", "sql"},
    "load": {
        *(
            "accounting",
            "afterwards",
            "breakers",
            "causes",
            "circles",
            "dedupe",
            "edits",
            "erased",
            "errors",
            "images",
            "judge",
            "keywords",
        ),
        *(
            "lines",
            "mapping",
            "notes",
            "oddities",
            "open_references",
            "owners",
            "parted",
            "planner",
        ),
        "quantity",
        *("left_alone", "refusals"),
        *("runs", "shown", "sql", "stand_ins", "views"),
    },
    "open_references": {
        *("dedupe", "images", "lines", "mapping", "owners", "quantity", "refusals", "sql"),
    },
    "views": {"catalog", "sql"},
    "afterwards": {"dedupe", "sql"},
    "undo": {
        *("catalog", "dedupe", "errors", "lines", "refusals", "runs", "sql"),
        *("left_alone", "planner", "undone", "unused_keywords"),
    },
    "left_alone": {"catalog", "dedupe", "lines", "refusals", "sql"},
    "planner": {"catalog", "sql"},
    "undone": {"errors", "runs", "sql"},
    "unused_keywords": {"refusals", "sql"},
    "lines": {"catalog", "dedupe", "mapping", "planner", "refusals", "sql"},
    "refusals": set(),
    "environment": set(),
    "lacking": {"catalog", "mapping"},
    "suiting": {"catalog", "check", "lacking", "mapping"},
    "quoting": set(),
    "database": {"environment", "errors", "quoting", "sql"},
    "causes": {"dedupe", "keywords", "lines", "mapping", "owners", "sql"},
    "parted": {"sql"},
    "linking": {"acts", "dedupe", "errors", "refusals", "sql"},
    "webhooks": {"database", "errors", "quantity", "sql", "webhooks"},
    "sql": set(),
}
"""What a module of ours may know of the others; the shell, which opens connections, is free."""

CORE = ("documents", "transform", "items", "column_rules", "check", "mapping", "errors")
OUTSIDE = {"airflow", "psycopg", "os", "time", "datetime", "requests", "pathlib"}


def imported(file: Path) -> Iterator[str]:
    """The dotted names of what a file imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} imports relatively"
            names = (alias.name for alias in node.names)
            yield from (
                f"{node.module}.{name}" if node.module == "quickbooks_crm" else str(node.module)
                for name in names
            )


def files_of(module: str) -> list[Path]:
    return [
        file for file in FILES if file.relative_to(PACKAGE).parts[0] in (module, f"{module}.py")
    ]


def own(file: Path) -> set[str]:
    """The modules of ours that a file imports, by the first part of their names."""
    prefix = "quickbooks_crm."
    return {name.split(".")[1] for name in imported(file) if name.startswith(prefix)}


@pytest.mark.parametrize("module", MAY_IMPORT)
def test_a_module_imports_only_what_it_may_know(module: str) -> None:
    found = {file.name: own(file) - MAY_IMPORT[module] for file in files_of(module)}

    assert found
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize("module", [name for name in CORE if name != "mapping"])
def test_the_core_knows_no_database_no_clock_no_file_and_no_airflow(module: str) -> None:
    for file in files_of(module):
        assert {name.partition(".")[0] for name in imported(file)} & OUTSIDE == set()


@pytest.mark.parametrize("stage", STAGES)
def test_every_statement_has_a_name_of_its_own(stage: str) -> None:
    text = (sql.HERE / f"{stage}.sql").read_text(encoding="utf-8")
    names = re.findall(r"^-- ([a-z_]+) --$", text, re.MULTILINE)

    assert len(names) == len(set(names))
    assert list(statements(stage)) == names
    assert text.startswith("-- ")


@pytest.mark.parametrize("stage", STAGES)
def test_every_statement_is_used(stage: str) -> None:
    code = "\n".join(file.read_text(encoding="utf-8") for file in FILES)

    assert [name for name in statements(stage) if f'"{name}"' not in code] == []


def test_no_statement_hides_in_python() -> None:
    """What quickbooks/ asks in QuickBooks' own language looks alike, and is none."""
    pattern = re.compile(r"""["'](?:SELECT|INSERT INTO|UPDATE|DELETE FROM|ALTER|CREATE|DROP) """)
    ours = [file for file in FILES if file.parent.name != "quickbooks"]

    assert [file.name for file in ours if pattern.search(file.read_text(encoding="utf-8"))] == []
