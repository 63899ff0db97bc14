"""The files that hold the project together say the same thing, and keep what they promise."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sharing import NEED_DEMO

PROJECT = Path(__file__).resolve().parent.parent.parent
SERVICES = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["services"]
LOCKS = ("requirements.lock", "requirements-dev.lock")
CORE = ("transform", "check", "dedupe")


def read(name: str) -> str:
    return (PROJECT / name).read_text()


def package_files() -> list[Path]:
    return sorted((PROJECT / "plugins" / "quickbooks_crm").rglob("*.py"))


def imports(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return named | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def names(requirements: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==", read(requirements), re.MULTILINE))


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_direct_requirement_is_pinned(name: str) -> None:
    lines = [line for line in read(name).splitlines() if line and line[0] not in "#-"]

    assert [line for line in lines if "==" not in line] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host_and_no_place_of_a_machine(name: str) -> None:
    assert re.findall(r"https?:|file:|--index|--find-links|^/|@ ", read(name), re.MULTILINE) == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_has_hashes_for_every_package(name: str) -> None:
    entries = re.split(r"\n(?=[a-z])", read(name).strip())

    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_both_locks_hold_the_same_versions() -> None:
    pins = {
        name: set(re.findall(r"^\S+==\S+(?= .*\\$)", read(name), re.MULTILINE)) for name in LOCKS
    }

    assert pins["requirements.lock"] - pins["requirements-dev.lock"] == set()


def test_the_locks_hold_every_direct_requirement() -> None:
    assert names("requirements.txt") <= names("requirements.lock")
    assert names("requirements-dev.txt") <= names("requirements-dev.lock")


def test_the_package_registers_itself_with_airflow_under_its_own_name() -> None:
    from quickbooks_crm.provider import get_provider_info

    project = tomllib.loads(read("pyproject.toml"))["project"]

    assert project["entry-points"]["apache_airflow_provider"] == {
        "provider_info": "quickbooks_crm.provider:get_provider_info"
    }
    assert get_provider_info()["package-name"] == project["name"]


def test_airflow_is_told_to_leave_the_package_alone_when_it_looks_for_plugins() -> None:
    assert "quickbooks_crm/" in read("plugins/.airflowignore").splitlines()


def test_make_alone_explains_every_target() -> None:
    makefile = read("Makefile")
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)

    assert targets == re.findall(r"^([a-z-]+):.* ## .+", makefile, re.MULTILINE)
    assert set(targets) == set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split())


def test_every_make_target_is_in_contributing() -> None:
    targets = re.findall(r"^([a-z-]+):.* ## ", read("Makefile"), re.MULTILINE)
    told = set(re.findall(r"`make ([a-z-]+)", read("CONTRIBUTING.md")))

    assert [target for target in targets if target not in told] == []


def test_every_link_to_a_file_leads_to_a_file() -> None:
    pages = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    links = [
        (page, target)
        for page in [*pages, *(PROJECT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    ]

    assert [link for link in links if not (link[0].parent / link[1]).exists()] == []


def test_every_picture_is_small_and_shown_somewhere() -> None:
    pictures = {path.name: path.stat().st_size for path in (PROJECT / "docs/images").iterdir()}
    told = "".join(page.read_text() for page in (PROJECT / "docs").glob("*.md"))

    assert len(pictures) > 15
    assert [name for name, size in pictures.items() if size > 150_000] == []
    assert [name for name in pictures if f"](images/{name})" not in told] == []


def headings(page: Path) -> set[str]:
    """The anchors of a page, as they are made of its headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_link_to_a_heading_leads_to_one() -> None:
    pages = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    links = [
        (page, file, heading)
        for page in pages
        for file, heading in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", page.read_text())
    ]

    assert len(links) > 30
    wrong = [
        (page.name, file, heading)
        for page, file, heading in links
        if heading not in headings((page.parent / file) if file else page)
    ]
    assert wrong == []


def errors_section() -> str:
    return read("docs/operating.md").split("## What each error means")[1]


def strings(file: Path) -> Iterator[str]:
    """Every text in a file of code, with a gap where a value is filled in."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values)


def test_every_error_code_is_explained_to_who_operates_it() -> None:
    codes = re.findall(
        r'^    code = "(\w+)"$', read("plugins/quickbooks_crm/errors.py"), re.MULTILINE
    )

    assert [code for code in codes if f"`{code}`" not in errors_section()] == []


def test_every_message_that_is_explained_is_one_that_is_printed() -> None:
    printed = "\n".join(text for file in package_files() for text in strings(file))
    cells = re.findall(r"^\|(?: `\w+` | )?\|?([^|]*\*[^|]+)\|", errors_section(), re.MULTILINE)
    told = [message for cell in cells for message in re.findall(r"\*([^*]+)\*", cell)]
    fragments = [part.strip(" '():") for message in told for part in message.split("…")]

    assert len(told) > 50
    assert [part for part in fragments if part not in printed] == []


def test_every_command_is_told_of() -> None:
    folder = PROJECT / "plugins" / "quickbooks_crm" / "command_line"
    commands = {
        name
        for file in folder.glob("*.py")
        for name in re.findall(r'^    "([a-z-]+)": Command\(', file.read_text(), re.MULTILINE)
    }

    assert len(commands) > 5
    assert [name for name in commands if f"`{name}`" not in read("README.md")] == []


def test_every_decision_has_a_number_of_its_own() -> None:
    pages = sorted((PROJECT / "docs" / "decisions").glob("*.md"))
    numbers = [int(page.name[:4]) for page in pages]

    assert sorted(set(numbers)) == numbers
    assert [int(p.read_text().split(".")[0].removeprefix("# ")) for p in pages] == numbers


@pytest.mark.parametrize("stage", CORE)
def test_the_core_knows_neither_airflow_nor_the_database_driver(stage: str) -> None:
    found = imports(PROJECT / "plugins" / "quickbooks_crm" / f"{stage}.py")

    assert [name for name in found if name.split(".")[0] in {"airflow", "requests"}] == []


@pytest.mark.parametrize("file", sorted((PROJECT / "dags").glob("*.py")), ids=lambda f: f.name)
def test_a_dag_file_is_short_enough_to_be_a_table_of_contents(file: Path) -> None:
    assert len(file.read_text().splitlines()) < 100


def test_nothing_in_the_package_imports_the_simulator_or_the_demo() -> None:
    guilty = [
        file
        for file in package_files()
        for name in imports(file)
        if name.split(".")[0] in {"simulator", "demo", "tests"}
    ]

    assert guilty == []


def test_the_simulator_imports_nothing_of_the_package() -> None:
    guilty = [
        file
        for file in (PROJECT / "simulator").rglob("*.py")
        for name in imports(file)
        if name.split(".")[0] in {"quickbooks_crm", "demo", "tests", "airflow"}
    ]

    assert guilty == []


def test_every_secret_in_compose_must_be_set_and_is_explained() -> None:
    compose, example = read("docker-compose.yaml"), read(".env.example")
    required = set(re.findall(r"\$\{(\w+):\?", compose))
    optional = set(re.findall(r"\$\{(\w+):-", compose))

    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == required
    assert set(re.findall(r"^#(\w+)=", example, re.MULTILINE)) == optional
    assert [name for name in optional if re.search("PASSWORD|SECRET|KEY", name)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_with_no_more_rights_than_it_needs(name: str) -> None:
    service: dict[str, Any] = SERVICES[name]

    assert service["user"].split(":")[0] not in ("0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "privileged" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_stays_has_a_health_check(name: str) -> None:
    assert ("healthcheck" in SERVICES[name]) == (SERVICES[name]["restart"] != "no")


def test_only_pages_and_webhooks_can_be_reached_and_only_from_this_host_by_default() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {
        "api-server": ["${AIRFLOW_ADDRESS:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"],
        "webhooks": ["${WEBHOOKS_ADDRESS:-127.0.0.1}:${WEBHOOKS_PORT:-8090}:8090"],
    }


def test_what_faces_the_internet_has_no_key_and_no_file_of_airflows() -> None:
    receiver = SERVICES["webhooks"]

    assert receiver["profiles"] == ["webhooks"]
    assert "volumes" not in receiver
    assert set(receiver["environment"]) == {
        "AIRFLOW_CONN_CRM",
        "AIRFLOW_CONN_QUICKBOOKS_WEBHOOKS",
    }
    assert receiver["environment"]["AIRFLOW_CONN_CRM"].startswith("postgresql://webhooks:")


def test_the_image_is_built_from_the_lock_and_ends_as_an_ordinary_user() -> None:
    dockerfile = read("Dockerfile")
    users = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}

    assert "--require-hashes --requirement /tmp/requirements.lock" in dockerfile
    assert users == ["50000:0"]
    assert {source for line in copied for source in line.split()} == allowed


def test_docker_compose_accepts_the_file(tmp_path: Path) -> None:
    compose = _compose()
    filled_in = tmp_path / ".env"
    filled_in.write_text(re.sub(r"^(\w+)=$", r"\1=x", read(".env.example"), flags=re.MULTILINE))

    checked = subprocess.run(
        [*compose, "--env-file", str(filled_in), "config", "--quiet"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )

    assert checked.stderr == ""
    assert checked.returncode == 0


def _compose() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            asked = subprocess.run([*command, "version"], capture_output=True)
            if asked.returncode == 0:
                return command
    pytest.skip("docker compose is not installed")


def test_no_two_processes_start_the_demo_to_test_it(request: pytest.FixtureRequest) -> None:
    tests = [test for test in request.session.items if isinstance(test, pytest.Function)]
    asking = [test.nodeid for test in tests if {"demo", "airflow"} & set(test.fixturenames)]

    assert [test for test in asking if not test.startswith(NEED_DEMO)] == []
