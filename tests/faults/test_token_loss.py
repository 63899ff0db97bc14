"""No refresh token that reached us is lost, wherever a login is killed or the disk or key fails.

Intuit is at its strictest here: every use gives a new refresh token and the old one is dead at
once. One loss remains, and is nobody's to prevent: a worker that dies between asking Intuit and
writing down the answer. A person then connects the company again.
"""

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.fernet import Fernet, MultiFernet
from psycopg import Connection

from quickbooks_crm.errors import QuickBooksLoginExpired, SettingsError
from quickbooks_crm.quickbooks.settings import Settings
from quickbooks_crm.quickbooks.spool import Spool
from quickbooks_crm.quickbooks.tokens import TokenStore
from simulator import Simulator
from tests.faults.points import killed_at, watched
from tests.integration.connected import FIRST, Door, Key, company, settings, store_for, vault_in

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

KEY = Key()
RIGHT_BEFORE_THE_COMMIT = "after UPDATE sync.token SET refresh_token"


@pytest.fixture(params=["reject", "kill_family"])
def quickbooks(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """Without its limits of calls a second: a killed process takes its share of them with it."""
    strict = {"rotation": "every_use", "reuse": request.param}
    with company(customers=1, items=1, throttle=False, **strict) as simulated:
        yield simulated


def killed_login(database_url: str, known: Settings, point: int | str) -> tuple[bool, list[str]]:
    """A process that logs in is killed at this point; whether it came so far, and its points."""

    def log_in(reached: Callable[[str], None]) -> None:
        vault = vault_in(database_url, KEY)
        vault = replace(vault, connect=lambda: watched(database_url, reached))
        TokenStore(vault, known, Door(known)).access_token()

    killed, reached = killed_at(point, log_in)
    for _ in range(3):  # what the killed process had sent has been answered before this is
        requests.get(f"{known.api_url}/health", timeout=60)
    return killed, reached


def only_intuit_knew(reached: list[str]) -> bool:
    """Whether the process died between asking Intuit and writing down what it answered."""
    asked = next((i for i, point in enumerate(reached) if "before send" in point), None)
    return asked is not None and "after replace" not in reached[asked:]


def works(database_url: str, known: Settings) -> bool:
    try:
        return bool(store_for(database_url, known, KEY).access_token())
    except QuickBooksLoginExpired:
        return False


def is_connected(database_url: str, known: Settings) -> bool:
    """Whether the first token that these settings bring is the login's."""
    try:
        store_for(database_url, known, KEY).prove_connection()
    except QuickBooksLoginExpired:
        return False
    return True


def expire(connection: Connection[Any]) -> None:
    connection.execute("UPDATE sync.token SET access_expires_at = now()")
    connection.commit()


def test_a_login_killed_at_any_point_is_lost_only_while_nobody_but_intuit_knows_the_answer(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    known = settings(quickbooks)
    assert works(database_url, known)
    lost = []

    for point in itertools.count(1):
        expire(connection)
        killed, reached = killed_login(database_url, known, point)
        if not killed:
            break
        if not works(database_url, known):
            assert only_intuit_knew(reached), f"lost {reached[-1]}, point {point}"
            lost.append(reached[-1])
            quickbooks.connect(f"again-{point}")
            known = settings(quickbooks, refresh_token=f"again-{point}")
            assert works(database_url, known)

    assert {"after replace", RIGHT_BEFORE_THE_COMMIT} & set(lost) == set()
    assert "after recv_into" in lost
    assert point > 40


@pytest.mark.parametrize("quickbooks", ["kill_family"], indirect=True)
def test_a_first_login_killed_at_any_point_is_lost_only_in_the_same_moment(
    database_url: str, quickbooks: Simulator
) -> None:
    known = settings(quickbooks)
    assert works(database_url, known)
    lost = []

    for point in itertools.count(1):
        quickbooks.connect(f"first-{point}")
        known = settings(quickbooks, refresh_token=f"first-{point}")
        killed, reached = killed_login(database_url, known, point)
        if not killed:
            break
        if not is_connected(database_url, known):
            assert only_intuit_knew(reached), f"lost {reached[-1]}, point {point}"
            lost.append(reached[-1])

    assert {"after replace", "after INSERT INTO sync.candidate (proof,"} & set(lost) == set()
    assert "after recv_into" in lost
    assert point > 60


def test_logins_killed_one_after_the_other_lose_nothing(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """Each begins with what the one before has left in its file, not with what the row says."""
    known = settings(quickbooks)
    assert works(database_url, known)
    expire(connection)
    for _ in range(3):
        assert killed_login(database_url, known, RIGHT_BEFORE_THE_COMMIT)[0]

    assert works(database_url, known)
    assert [call.status for call in quickbooks.calls if call.kind == "token"] == [200] * 5
    assert list(vault_in(database_url, KEY).directory.glob("*.json")) == []


def test_a_file_that_was_left_behind_is_never_taken_for_newer_than_the_row(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """Its process died after the commit, before it could remove the file."""
    known = settings(quickbooks)
    assert works(database_url, known)
    spool = Spool(vault_in(database_url, KEY).directory, f"login-{quickbooks.realm}")
    spool.prepare(FIRST)
    spool.keep(FIRST, KEY.lock("older than the row"))
    expire(connection)

    assert works(database_url, known)

    assert [call.status for call in quickbooks.calls if call.kind == "token"] == [200, 200]


def test_a_file_helps_a_database_that_was_restored_from_a_backup(
    database_url: str, connection: Connection[Any]
) -> None:
    with company(customers=1, items=1, rotation="every_use", reuse="reject") as quickbooks:
        assert works(database_url, settings(quickbooks))
        spool = Spool(vault_in(database_url, KEY).directory, f"login-{quickbooks.realm}")
        spool.prepare("of yesterday")
        spool.keep("of yesterday", KEY.lock(str(quickbooks.refresh_token)))
        restored = [KEY.lock("of the day before"), KEY.lock(FIRST)]
        connection.execute(
            "UPDATE sync.token SET refresh_token = %s, previous_refresh_token = %s", restored
        )
        expire(connection)

        assert works(database_url, settings(quickbooks))


def test_what_another_process_keeps_meanwhile_is_not_cleared(tmp_path: Path) -> None:
    """It has logged in after our commit, and before we came to clear."""
    ours, theirs = Spool(tmp_path, "login-1"), Spool(tmp_path, "login-1")
    ours.prepare("first")
    ours.keep("first", "second, encrypted")
    theirs.prepare("second")
    theirs.keep("second", "third, encrypted")

    ours.clear()

    assert [kept.stored for kept in theirs.kept()] == ["third, encrypted"]


def test_only_the_owner_may_read_what_is_kept_and_nothing_is_in_the_clear(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    known = settings(quickbooks)
    assert works(database_url, known)
    expire(connection)
    killed_login(database_url, known, RIGHT_BEFORE_THE_COMMIT)

    files = list(vault_in(database_url, KEY).directory.glob("*.json"))
    assert str(quickbooks.refresh_token) not in files[0].read_text()
    assert oct(files[0].stat().st_mode & 0o777) == "0o600"
    assert oct(files[0].parent.stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("broken", ["{", "[]", '{"follows": 1}', ""])
def test_a_file_that_cannot_be_read_is_said_and_passed_over(
    broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "login-1-0.json").write_text(broken)

    assert Spool(tmp_path, "login-1").kept() == []
    assert "login-1-0.json cannot be used" in caplog.text


@pytest.mark.parametrize("in_the_way", ["a file", "a link"])
def test_intuit_is_not_asked_when_its_answer_could_not_be_kept(
    database_url: str, quickbooks: Simulator, tmp_path: Path, in_the_way: str
) -> None:
    place = tmp_path / "tokens"
    if in_the_way == "a file":
        place.write_text("")
    else:
        place.mkdir()
        name = Spool(place, f"first-{quickbooks.realm}")._new_file(FIRST).name
        (place / name).symlink_to(tmp_path / "elsewhere")
    vault = replace(vault_in(database_url, KEY), directory=place)
    known = settings(quickbooks)

    with pytest.raises(SettingsError, match=r"Nothing can be written to .*Intuit was not asked"):
        TokenStore(vault, known, Door(known)).access_token()

    assert [call.kind for call in quickbooks.calls] == []
    assert not (tmp_path / "elsewhere").exists()


def test_a_disk_that_fails_after_the_answer_costs_no_token(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    """The database can still take it."""
    known = settings(quickbooks)
    directory = vault_in(database_url, KEY).directory
    quickbooks.when("token", lambda: shutil.rmtree(directory))

    assert works(database_url, known)
    assert not directory.exists()
    expire(connection)
    assert works(database_url, known)


def test_tokens_are_read_with_a_former_key_and_written_with_the_new_one(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    former, new = Fernet(Fernet.generate_key()), Fernet(Fernet.generate_key())
    known = settings(quickbooks)
    store_for(database_url, known, Key(former)).access_token()
    expire(connection)

    store_for(database_url, known, Key(MultiFernet([new, former]))).access_token()

    expire(connection)
    assert store_for(database_url, known, Key(new)).access_token()


def test_a_lost_key_overwrites_nothing_and_a_new_first_token_connects_again(
    database_url: str, connection: Connection[Any], quickbooks: Simulator
) -> None:
    known = settings(quickbooks)
    store_for(database_url, known, Key()).access_token()
    before = connection.execute("SELECT * FROM sync.token").fetchall()
    connection.rollback()

    with pytest.raises(SettingsError, match="locked with another key"):
        works(database_url, known)

    assert connection.execute("SELECT * FROM sync.token").fetchall() == before
    connection.rollback()
    assert [call.kind for call in quickbooks.calls].count("token") == 1
    quickbooks.connect("second")
    assert works(database_url, settings(quickbooks, refresh_token="second"))
