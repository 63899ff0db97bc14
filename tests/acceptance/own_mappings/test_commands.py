"""What a person does with versions of mappings on the command line."""

import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm.__main__ import main
from tests.acceptance.kept_in_step import Kept
from tests.acceptance.putting_in_force import NO_CODE, text


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def stored_as(
    command: Callable[..., tuple[int, str]], file: Path, content: str, *words: str
) -> tuple[int, str]:
    file.write_text(content, encoding="utf-8")
    return command("mapping-store", "products", str(file), *words)


def test_a_mapping_is_stored_previewed_compared_and_put_in_force_by_commands(
    kept: Kept,
    include: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str]],
) -> None:
    file = tmp_path / "mine.yaml"
    new = text(include, "products", NO_CODE)

    assert "Stored as version 1 of products." in stored_as(command, file, new, "--based-on", "0")[1]
    assert command("preview", "--read", "--version", "products=1")[0] == 0
    again = stored_as(command, file, new, "--based-on", "1")
    assert "Version 1 of products says just this. Nothing was stored.\n" in again[1]
    two = "--version", "products=2", "--version", "products=1"
    assert command("preview", *two) == (
        2,
        "Versions 2 and 1 of products cannot be previewed at once. Preview them one after the "
        "other.\n",
    )
    compared = command("mapping-compare", "products", "file", "1")[1].splitlines()
    assert compared[:4] == [
        "fields.code removed: {from: Sku}",
        "",
        "--- products.yaml",
        "+++ products, version 1",
    ]
    assert "version 1, since" in command("mapping-use", "products", "1")[1]
    assert command("mapping-show", "products") == (0, new)
    assert command("mapping-show", "products", "file") == (0, text(include))
    told = command("mappings")[1].splitlines()
    assert told[0] == "sample"
    assert told[1].startswith("  products: version 1, since ")
    assert told[2] == "  accounts: shared file accounts.yaml"


def test_what_a_command_says_to_type_next_works_when_it_is_typed(
    kept: Kept,
    include: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = text(include, "products", NO_CODE)

    def typed(words: list[str]) -> str:
        assert main(words) == 0
        return capsys.readouterr().out

    preview, use = advised(stored_as(command, tmp_path / "a.yaml", new, "--based-on", "0")[1])
    assert "A preview: nothing was changed." in typed(preview)
    assert "version 1, since" in typed(use)
    (include / "mappings" / "products.yaml").write_text(f"{new}# More.\n", encoding="utf-8")
    compare, use_file, keep = advised(typed(["mappings"]))
    assert typed(compare).startswith("Only comments, spaces or the order of words differ.")
    assert "version 1, since" in typed(keep)
    assert "Warning" not in typed(["mappings"])
    assert "shared file products.yaml" in typed(use_file)


def advised(said: str) -> list[list[str]]:
    """The commands that a text says to type."""
    lines = [line.partition("python -m quickbooks_crm ")[2] for line in said.splitlines()]
    return [shlex.split(line) for line in lines if line]


def test_the_versions_of_a_mapping_are_listed_with_what_each_changed(
    connection: Connection[Any],
    include: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str]],
) -> None:
    file = tmp_path / "mine.yaml"
    stored_as(command, file, text(include), "--based-on", "0", "--note", "the beginning")
    stored_as(command, file, text(include, "products", NO_CODE), "--based-on", "1")
    command("mapping-use", "products", "1")

    said = command("mapping-versions", "products")[1].splitlines()

    assert re.fullmatch(r"2  .* UTC by \w+, upload", said[0])
    assert said[1] == "    fields.code removed: {from: Sku}"
    assert re.fullmatch(r"1 \(in force\)  .* UTC by \w+, upload: the beginning", said[2])


def test_programs_are_told_the_same_as_json(
    connection: Connection[Any],
    include: Path,
    tmp_path: Path,
    command: Callable[..., tuple[int, str]],
) -> None:
    new = text(include, "products", NO_CODE)
    stored = stored_as(command, tmp_path / "mine.yaml", new, "--based-on", "0", "--json")[1]

    assert objects(stored) == [{"company": "sample", "module": "products", "version": 1}]
    [first, *_] = objects(command("mappings", "--json")[1])
    assert (first["from"], first["version"], first["newest_version"]) == ("shared file", None, 1)
    [version] = objects(command("mapping-versions", "products", "--json")[1])
    assert (version["version"], version["in_force"], version["origin"]) == (1, False, "upload")
    [compared] = objects(command("mapping-compare", "products", "file", "1", "--json")[1])
    assert [each["kind"] for each in compared["words"]] == ["removed"]
    [shown] = objects(command("mapping-show", "products", "1", "--json")[1])
    assert shown == {"module": "products", "name": "products, version 1", "mapping": new}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mapping-use", "products", "9"), "Company sample has no version 9 of products."),
        (("mapping-use", "products", "99999999999"), "has no version 99999999999 of products."),
        (("mapping-use", "products", "new"), "'new' is no version. Write its number, or file"),
        (("mapping-use", "wares", "file"), "There is no mapping for wares."),
        (("mapping-show", "wares"), "There is no mapping for wares."),
        (("mapping-store", "products", "/no/such", "--based-on", "0"), "/no/such cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(
    connection: Connection[Any],
    command: Callable[..., tuple[int, str]],
    words: Sequence[str],
    said: str,
) -> None:
    code, printed = command(*words)

    assert code == 2
    assert said in printed


def test_a_file_that_is_no_text_is_refused(
    connection: Connection[Any], tmp_path: Path, command: Callable[..., tuple[int, str]]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes("entities: [Item]".encode("utf-16"))

    code, said = command("mapping-store", "products", str(file), "--based-on", "0")

    assert code == 2
    assert "line 1: the file is UTF-16. Save it as UTF-8." in said
