"""What every test may ask for: a database in a real Postgres, and an Airflow that touches nothing.

TEST_DATABASE_URL=postgresql://role:password@host:port uses that server, whose role may create
databases, instead of a Postgres of the tests' own.
"""

from __future__ import annotations

import base64
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from demo import postgres
from simulator import Simulator
from tests.real_airflow import Demo
from tests.sharing import Sharing

if TYPE_CHECKING:
    from tests.acceptance.kept_in_step import FirstSyncs

PROJECT = Path(__file__).resolve().parent.parent
ROOM = 2 * 2**30  # bytes of memory that the tests' databases may need
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Airflow reads its settings when it is first imported, so they are made before any test is."""
    # How long an example takes is the machine's affair, not a property.
    hypothesis_settings.register_profile("unhurried", deadline=None)
    hypothesis_settings.load_profile("unhurried")
    config.addinivalue_line("markers", "last: leaves nothing of the demo for the tests after it")
    config.addinivalue_line("markers", "exceeds_limits(why): asks a simulator more than it allows")
    home = tempfile.mkdtemp(prefix="quickbooks-crm-tests-")
    settings = {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": f"{PROJECT}/dags",
        "AIRFLOW__CORE__PLUGINS_FOLDER": f"{PROJECT}/plugins",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
        "AIRFLOW__API_AUTH__JWT_SECRET": os.urandom(32).hex(),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update(settings)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that leave nothing of the demo for others come after all others. Of several processes
    none shall be left with a slow file when the others are done, so there these come first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Sharing:
    """With `-n`, which tests go to which process."""
    return Sharing(config, log)


@pytest.fixture(autouse=True)
def limits_are_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """No simulator with limits was asked more than Intuit allows, not even once."""
    before = [throttle for throttle in Simulator.throttles if throttle.exceeded]
    yield
    if request.node.get_closest_marker("exceeds_limits") is None:
        new = [t.maxima for t in Simulator.throttles if t.exceeded and t not in before]
        assert new == [], "QuickBooks was asked more at once than Intuit allows"


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A running Postgres, in memory where the machine has room: each test makes some 350 files."""
    if address := os.environ.get("TEST_DATABASE_URL"):
        with closing(postgres.Server(address.rstrip("/"))) as known:
            yield known
        return
    roomy = postgres.MEMORY.is_dir() and shutil.disk_usage(postgres.MEMORY).free > ROOM
    place = postgres.MEMORY if roomy else None
    scratch = tempfile.TemporaryDirectory(prefix="quickbooks-crm-tests-", dir=place)
    with scratch as directory, postgres.cluster(Path(directory)) as own:
        yield own


@pytest.fixture(scope="session")
def template(server: postgres.Server) -> Iterator[str]:
    """The name of a database with all migrations and the reference CRM, to be copied."""
    from quickbooks_crm import database

    name = f"template_{os.getpid()}"
    with psycopg.connect(server.create_database(name), autocommit=True) as connection:
        database.migrate(connection)
        database.install_crm(connection, PROJECT / "include" / "crm")
    yield name
    server.drop_database(name)


@pytest.fixture
def database_url(server: postgres.Server, template: str) -> Iterator[str]:
    """The address of a database of the test's own: the schemas are there, no row is."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield server.create_database(name, template)
    server.drop_database(name)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """An open connection to `database_url`."""
    from quickbooks_crm.quoting import take_any_name

    with psycopg.connect(database_url) as connection:
        take_any_name(connection)
        yield connection


@pytest.fixture
def crm(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same database, also known to Airflow as the connection `crm`."""
    monkeypatch.setenv("AIRFLOW_CONN_CRM", database_url)
    return database_url


@pytest.fixture(scope="session")
def first_syncs(server: postgres.Server, template: str) -> Iterator[FirstSyncs]:
    """Companies that have been synced once, to be copied."""
    from tests.acceptance.kept_in_step import FirstSyncs

    done = FirstSyncs(server, template)
    yield done
    done.forget()


@pytest.fixture(scope="session")
def airflow_metadata() -> None:
    """Airflow's own database, for tests that run a DAG."""
    from airflow.utils import db

    db.initdb()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The tests' own demo, perhaps not started yet."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    try:
        yield demo
    finally:
        demo.run("down", RESET="1")


@pytest.fixture(scope="session")
def started(demo: Demo) -> str:
    """What the demo's first start printed; from then on it is running."""
    ended = demo.run("up")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
