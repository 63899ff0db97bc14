"""What the demo does on its own, without starting it: refusals, ports, leftovers, its table."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from demo import ports, postgres, processes, settings, stopwatch, sync, up
from demo.home import PROJECT, Home

# A service that works on after it was asked to stop, in a process group of its own like a task.
STUBBORN = "import os, signal, time; signal.signal(15, signal.SIG_IGN); os.setpgid(0, 0)"
FAMILY = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {STUBBORN!r} + "; time.sleep(600)"])
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "demo")
    home.make()
    return home


def demo(path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    return subprocess.run(
        [sys.executable, "-m", "demo", *words],
        cwd=PROJECT,
        env={**own, **environment, "DEMO_HOME": str(path)},
        capture_output=True,
        text=True,
    )


def start_family(home: Home) -> psutil.Process:
    """Start a service with a child; the service."""
    started = processes.start(home, "scheduler", [sys.executable, "-c", FAMILY], os.environ)
    leader = psutil.Process(started.pid)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not leader.children():
        time.sleep(0.02)
    return leader


@pytest.mark.parametrize(
    "wish",
    [
        {"CUSTOMERS": "abc"},
        {"ITEMS": "-1"},
        {"SEED": "1.5"},
        {"LATENCY_MS": "soon"},
        {"LOAD": "/nope"},
        {"LOAD": str(PROJECT / "demo")},
    ],
)
def test_a_mistyped_wish_is_refused_and_leaves_no_trace(
    wish: dict[str, str], tmp_path: Path
) -> None:
    (name,) = wish

    refused = demo(tmp_path / "demo", "up", **wish)

    assert refused.returncode == 1
    assert name in refused.stderr and "Traceback" not in refused.stderr
    assert not (tmp_path / "demo").exists()


def test_wishes_that_can_be_are_kept() -> None:
    wishes = {"CUSTOMERS": "5000", "LATENCY_MS": "2.5", "SEED": "", "HOME": "/"}

    assert settings.wished(wishes) == {"CUSTOMERS": "5000", "LATENCY_MS": "2.5"}


@pytest.mark.parametrize(
    ("word", "code"), [("status", 0), ("down", 0), ("logs", 1), ("psql", 1), ("shell", 1)]
)
def test_looking_at_a_demo_that_is_not_there_makes_none(
    word: str, code: int, tmp_path: Path
) -> None:
    asked = demo(tmp_path / "demo", word)

    assert asked.returncode == code, asked.stderr
    assert not (tmp_path / "demo").exists()


@pytest.mark.parametrize("target", ["status", "down", "logs", "psql", "shell"])
def test_looking_at_a_clean_clone_installs_nothing(target: str, tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)

    asked = subprocess.run(["make", target], cwd=tmp_path, capture_output=True, text=True)

    assert "make demo" in asked.stdout + asked.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["Makefile"]


def test_what_stopped_a_sync_is_told_where_the_activity_does_not() -> None:
    failed = sync.SyncFailed(
        "The sync ended failed.",
        "run-1",
        {"extract": "refused", "accounts.load": "was killed\n  Its log is here"},
    )

    said = up.what_to_do(failed, "sample run-1: failed\nextract stopped: refused\n")

    assert said == (
        "The sync ended failed. Everything is started all the same: see above.\n"
        "accounts.load: was killed\n"
        "  Its log is here"
    )


def test_stop_ends_what_a_killed_leader_has_left(home: Home) -> None:
    leader = start_family(home)
    (child,) = leader.children()
    leader.kill()

    assert processes.stop(home, ["scheduler"]) == ["scheduler"]
    assert processes.alive(child.pid) is None


def test_stop_ends_a_task_that_lets_nobody_look_into_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = start_family(home)
    (child,) = leader.children()
    leader.kill()

    def denied(process: psutil.Process) -> None:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "cwd", denied)
    monkeypatch.setattr(psutil.Process, "environ", denied)
    monkeypatch.setattr(psutil.Process, "cmdline", lambda process: ["airflow worker -- busy"])

    processes.stop(home, ["scheduler"])

    assert processes.alive(child.pid) is None


def test_sweep_ends_what_no_record_names_and_nothing_else(home: Home, tmp_path: Path) -> None:
    leader = start_family(home)
    (child,) = leader.children()
    (home.path / "processes/scheduler.json").unlink()
    other = Home(tmp_path / "other")
    other.make()
    stranger = start_family(other)

    try:
        assert processes.sweep(home) == 2
        assert (processes.alive(leader.pid), processes.alive(child.pid)) == (None, None)
        assert processes.alive(stranger.pid)
    finally:
        processes.stop(other, ["scheduler"])


def test_what_cannot_be_stopped_is_told_and_not_forgotten(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = start_family(home)

    def denied(process: psutil.Process, number: int) -> None:
        raise psutil.AccessDenied(process.pid)

    with monkeypatch.context() as another_user:
        another_user.setattr(psutil.Process, "send_signal", denied)
        another_user.setattr(processes, "_PATIENCE", 0)
        with pytest.raises(processes.ProcessFailed, match=f"did not stop: process .*{leader.pid}"):
            processes.stop(home, ["scheduler"])

    assert processes.stop(home, ["scheduler"]) == ["scheduler"]


def test_a_persons_shell_outlives_the_demo(home: Home) -> None:
    from demo import airflow

    made = settings.load_or_make(home, {})
    mine = subprocess.Popen(["sleep", "60"], env=airflow.environment(home, made))
    try:
        assert demo(home.path, "down").stdout == "Nothing was running.\n"
        assert mine.poll() is None
    finally:
        mine.kill()
        mine.wait()


def test_an_error_ends_with_a_few_short_lines_and_what_to_do(home: Home) -> None:
    home.log("scheduler").write_text("".join(f"{line} {'x' * 500}\n" for line in range(20)))

    said = str(processes.failed(home, "scheduler", "has stopped")).splitlines()

    assert said[0] == "Airflow's scheduler has stopped."
    assert said[1] == f"Its log is {home.log('scheduler')}"
    assert [len(line.strip()) for line in said[2:-1]] == [160] * 5
    assert "make logs" in said[-1] and "make down" in said[-1]


def test_a_port_in_use_is_told_with_the_one_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind((ports.HOST, 0))
        taken.listen()
        number = taken.getsockname()[1]

        chosen = ports.free(number, "Postgres")

    assert chosen != number
    assert capsys.readouterr().out == f"Port {number} is in use, so Postgres takes {chosen}.\n"


def test_the_seconds_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 10.0, 20.0, 11.0, 15.0, 33.3])
    monkeypatch.setattr(stopwatch.time, "time", lambda: next(clock))
    watch = stopwatch.Stopwatch()
    with watch.phase("Postgres"):
        pass
    with watch.phase("simulator", beside=True):
        pass

    table = watch.table()

    rows = [line.split(maxsplit=2) for line in table.splitlines()[1:3]]
    totals = [line.split(maxsplit=1) for line in table.splitlines()[3:]]
    assert rows == [["0.0", "10.0", "Postgres"], ["1.0", "(4.0)", "simulator, meanwhile"]]
    assert totals == [["13.3", "the rest"], ["23.3", "seconds in all"]]


def test_postgres_starts_again_after_it_was_killed_and_someone_took_its_port(
    tmp_path: Path,
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    port = ports.free(postgres.PORT + 7000)
    try:
        with closing(postgres.start(ours, "secret", port, postgres.FORGETFUL)) as server:
            server.create_database("kept")
        assert postgres.answers(ours, "secret", port)

        os.kill(_postmaster(ours), signal.SIGKILL)  # nobody waits for it, so it may stay a zombie
        postgres.start(theirs, "other", _when_free(port), postgres.FORGETFUL)
        assert not postgres.running(ours)
        assert not postgres.answers(ours, "secret", port)

        again = ports.free(port)
        assert again != port
        with closing(postgres.start(ours, "secret", again, postgres.FORGETFUL)) as server:
            assert postgres.answers(ours, "secret", again)
            assert server.create_database("kept").endswith(f":{again}/kept")
    finally:
        postgres.remove(ours)
        postgres.remove(theirs)


def test_a_postgres_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = ports.free(postgres.PORT + 8000)
    try:
        postgres.start(tmp_path, "secret", port, postgres.FORGETFUL)
        os.kill(_postmaster(tmp_path), signal.SIGSTOP)
        monkeypatch.setattr(postgres, "_PATIENCE", 1)

        assert postgres.stop(tmp_path)
        assert not postgres.running(tmp_path)
    finally:
        postgres.remove(tmp_path)


def _postmaster(directory: Path) -> int:
    process = postgres._postmaster(postgres._place(directory))
    assert process is not None
    return process.pid


def _when_free(port: int) -> int:
    deadline = time.monotonic() + 60
    while ports.free(port) != port and time.monotonic() < deadline:
        time.sleep(0.05)
    return port
