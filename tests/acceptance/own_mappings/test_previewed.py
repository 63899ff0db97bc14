"""A version is previewed before it is in force: a Yes puts it there, and nobody who may only start
runs chooses one."""

from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from quickbooks_crm import asking, database, in_force, pipeline, previewing
from quickbooks_crm.errors import MappingOutdated, SettingsError
from quickbooks_crm.running import Request
from tests.acceptance.kept_in_step import Kept, said_yes
from tests.acceptance.putting_in_force import (
    NO_CODE,
    OTHER_NOTES,
    coded,
    codes,
    origin,
    sample,
    store,
    text,
    use,
)


def preview(kept: Kept, **asked: Any) -> str:
    run_id = kept.new_run_id()
    with database.connect() as connection:
        in_force.offer(connection, sample(), asked.get("versions", {}), "grace")
    previewing.sync("sample", run_id, Request("manual", "ada", **asked), read=True)
    return run_id


def after_a_yes(kept: Kept, previewed: str) -> str:
    run_id = kept.new_run_id()
    said_yes(previewed)
    pipeline.sync("sample", run_id, Request("manual", None, previewed=previewed))
    return run_id


def outcomes(kept: Kept, run_id: str) -> list[dict[str, Any]]:
    return kept.ask(
        "SELECT module, entity, id, outcome, reason, after ->> 'code' AS code FROM sync.outcome "
        "WHERE run_id = %s ORDER BY 1, 2, 3",
        run_id,
    )


# Previewed before it is in force


def test_a_version_can_be_previewed_before_it_is_in_force(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    coded(kept)
    store(connection, text(include, "products", NO_CODE))

    run_id = preview(kept, versions={"products": 1})

    assert {row["code"] for row in outcomes(kept, run_id)} == {None}
    assert origin(connection) == "shared file products.yaml"
    assert "A Yes puts in force: products, version 1. It imports with" in asking.question(
        "sample", run_id
    )


def test_a_yes_puts_the_previewed_versions_in_force_and_imports_with_them(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    coded(kept)
    store(connection, text(include, "products", NO_CODE))
    previewed = preview(kept, versions={"products": 1})

    done = after_a_yes(kept, previewed)

    assert outcomes(kept, done) == outcomes(kept, previewed)
    assert origin(connection) == ("version 1, since NOW by ada; not the same as products.yaml")
    assert kept.sync().warnings == ()
    assert codes(kept) == {None}


def test_a_yes_that_airflow_repeats_puts_nothing_in_force_twice(
    kept: Kept, include: Path, connection: Connection[Any]
) -> None:
    store(connection, text(include, "products", NO_CODE))
    request = Request("manual", None, previewed=preview(kept, versions={"products": 1}))
    said_yes(request.previewed)

    pipeline.check_settings("sample", "the-sync", request)
    pipeline.check_settings("sample", "the-sync", request)

    assert len(kept.ask("SELECT choice FROM sync.mapping_choice")) == 1


@pytest.mark.parametrize("meanwhile", [2, None])
def test_a_yes_to_what_is_not_the_last_word_any_more_is_refused(
    kept: Kept, include: Path, connection: Connection[Any], meanwhile: int | None
) -> None:
    store(connection, text(include, "products", NO_CODE))
    store(connection, text(include, "products", OTHER_NOTES), 1)
    previewed = preview(kept, versions={"products": 1})
    use(connection, meanwhile)

    with pytest.raises(MappingOutdated) as error:
        after_a_yes(kept, previewed)

    what = f"version {meanwhile}" if meanwhile else "the file"
    assert f"grace has put {what} of products in force for company sample" in str(error.value)
    assert f"since preview {previewed} showed version 1" in str(error.value)
    assert kept.ask("SELECT id FROM crm.products") == []
    assert len(kept.ask("SELECT choice FROM sync.mapping_choice")) == 1


def test_a_preview_of_a_version_that_is_not_there_says_so(kept: Kept) -> None:
    with pytest.raises(SettingsError, match="Company sample has no version 7 of products"):
        preview(kept, versions={"products": 7})
    with pytest.raises(SettingsError, match="There is no mapping for wares"):
        preview(kept, versions={"wares": 1})


# Who may only start runs


def ask_for_preview(kept: Kept, **asked: Any) -> None:
    """Start a preview as Airflow's own API lets anybody do who may start runs."""
    request = Request("manual", "eve", **asked)
    previewing.check_settings("sample", kept.new_run_id(), request)


def offered(connection: Connection[Any], version: int) -> None:
    in_force.offer(connection, sample(), {"products": version}, "grace")


@pytest.fixture
def two_versions(kept: Kept, include: Path, connection: Connection[Any]) -> Kept:
    store(connection, text(include, "products", NO_CODE))
    store(connection, text(include, "products", OTHER_NOTES), 1)
    return kept


REFUSED = "Version 1 of products is not in force for company sample, and was not offered"


def test_a_version_that_nobody_offered_is_not_previewed(two_versions: Kept) -> None:
    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_the_last_offer_is_the_one_that_counts(
    two_versions: Kept, connection: Connection[Any]
) -> None:
    offered(connection, 1)
    offered(connection, 2)

    ask_for_preview(two_versions, versions={"products": 2})
    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_an_offer_ends_after_a_day(two_versions: Kept, connection: Connection[Any]) -> None:
    offered(connection, 1)
    connection.execute("UPDATE sync.mapping_offer SET offered_at = now() - interval '25 hours'")

    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_an_offer_ends_when_something_else_is_put_in_force(
    two_versions: Kept, connection: Connection[Any]
) -> None:
    offered(connection, 1)
    use(connection, 2)

    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})
    ask_for_preview(two_versions, versions={"products": 2})


def test_an_offer_ends_with_a_no(two_versions: Kept) -> None:
    previewed = preview(two_versions, versions={"products": 1})
    asking.answered("sample", previewed, "No", {"said": "No", "by": "ada"})

    with pytest.raises(SettingsError, match=REFUSED):
        ask_for_preview(two_versions, versions={"products": 1})


def test_a_sync_takes_no_versions_however_it_is_asked(
    two_versions: Kept, connection: Connection[Any]
) -> None:
    offered(connection, 1)

    with pytest.raises(SettingsError, match="A run of the kind sync takes the mappings in force"):
        pipeline.check_settings("sample", "r", Request("manual", "eve", versions={"products": 1}))
