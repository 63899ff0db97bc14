"""Commands about the mappings that companies use: which are in force, and stored versions."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from psycopg import Connection

from quickbooks_crm import companies, database, in_force, mapping, versions
from quickbooks_crm.command_line.command import ONE, Command, every_company, only_company, person
from quickbooks_crm.companies import Company
from quickbooks_crm.errors import MappingError, SettingsError
from quickbooks_crm.in_force import Origin
from quickbooks_crm.mapping.differences import differences, lines, told
from quickbooks_crm.mapping.document import decode
from quickbooks_crm.mapping.problems import report
from quickbooks_crm.versions import New, Version, moment

FILE, IN_FORCE = "file", "in-force"


def _mappings(asked: argparse.Namespace) -> None:
    for name in every_company(asked):
        with database.connect() as connection:
            used = in_force.of(connection, _company(name))
            newest = versions.newest(connection, name)
        if not asked.json:
            print(name)
        for module in mapping.load_order(used.mappings):
            origin, last = used.origins[module], newest.get(module)
            if asked.json:
                print(json.dumps({"company": name, **_plain(origin, last)}, default=str))
            else:
                print(f"  {module}: {origin.words}{_not_in_force(origin, last)}")
        if not asked.json:
            for origin in used.origins.values():
                if origin.warning:
                    print(f"Warning: {origin.warning}", *origin.typed(name), sep="\n")


def _not_in_force(origin: Origin, newest: Version | None) -> str:
    """What to know of a newer version that nobody has put in force."""
    if newest is None or (origin.version and origin.version.version == newest.version):
        return ""
    return f" (newest version: {newest.version}, of {moment(newest.made_at)} by {newest.made_by})"


def _plain(origin: Origin, newest: Version | None) -> dict[str, Any]:
    return {
        "module": origin.module,
        "from": "version" if origin.version else "own file" if origin.own else "shared file",
        "file": origin.file,
        "version": origin.version.version if origin.version else None,
        "chosen_by": origin.choice.chosen_by if origin.choice else None,
        "chosen_at": origin.choice.chosen_at if origin.choice else None,
        "same_as_file": origin.same_as_file,
        "file_changed": origin.file_changed,
        "newest_version": newest.version if newest else None,
    }


def _versions(asked: argparse.Namespace) -> None:
    company = _company(only_company(asked))
    with database.connect() as connection:
        origin = _origin(connection, company, asked.module)
        found = versions.versions(connection, company.name, asked.module)
    used = origin.version.version if origin.version else None
    for number, each in enumerate(found):
        if asked.json:
            plain = asdict(each) | {"in_force": each.version == used}
            del plain["content"]
            print(json.dumps(plain, default=str))
        else:
            before = found[number + 1].content if number + 1 < len(found) else None
            print(*_told(each, each.version == used, before), sep="\n")
    if not asked.json and used is None:
        print(f"In force: {origin.words}.")


def _told(version: Version, used: bool, before: str | None) -> Iterator[str]:
    note = f": {version.note}" if version.note else ""
    yield (
        f"{version.version}{' (in force)' if used else ''}  {moment(version.made_at)} by "
        f"{version.made_by}, {version.origin}{note}"
    )
    if before is not None:
        yield from (f"    {line}" for line in told(before, version.content))


def _show(asked: argparse.Namespace) -> None:
    company = _company(only_company(asked))
    with database.connect() as connection:
        name, content = _text(connection, company, asked.module, asked.which)
    if asked.json:
        print(json.dumps({"module": asked.module, "name": name, "mapping": content}))
    else:
        sys.stdout.write(content)


def _compare(asked: argparse.Namespace) -> None:
    company = _company(only_company(asked))
    with database.connect() as connection:
        one, before = _text(connection, company, asked.module, asked.one)
        other, after = _text(connection, company, asked.module, asked.other)
    by_line = lines(before, after, (one, other))
    if asked.json:
        found = [asdict(each) | {"kind": each.kind} for each in differences(before, after)]
        print(json.dumps({"before": one, "after": other, "words": found, "lines": by_line}))
        return
    print(*told(before, after), *([""] if by_line else []), *by_line, sep="\n")


def _store(asked: argparse.Namespace) -> None:
    company = _company(only_company(asked))
    new = New(
        asked.module,
        _content(asked.module, asked.file, asked.based_on),
        asked.based_on,
        person(),
        "upload",
        asked.note,
    )
    with database.connect() as connection:
        stored = in_force.store(connection, company, new)
    said = [in_force.said_of(new, stored), *_advised(company.name, asked.module, stored.version)]
    _say(asked, stored.version, "\n".join(said))


def _advised(company: str, module: str, version: int) -> Iterator[str]:
    """What a person may want to type next."""
    command = "python -m quickbooks_crm"
    yield f"What it would do: {command} preview --company {company} --version {module}={version}"
    yield f"To put it in force: {command} mapping-use --company {company} {module} {version}"


def _content(module: str, file: Path, based_on: int) -> str:
    """The text of a file, or of standard input for `-`."""
    try:
        raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}. Name another.") from None
    text, problems = decode(raw)
    if problems:
        raise MappingError(
            report({versions.called(module, based_on + 1): problems}, then=in_force.NOT_STORED)
        )
    return text


def _use(asked: argparse.Namespace) -> None:
    company, number = _company(only_company(asked)), None
    if asked.which != FILE:
        number = _number(asked.which)
    with database.connect() as connection:
        in_force.use(connection, company, asked.module, number, person())
        origin = _origin(connection, company, asked.module)
    _say(asked, number, f"In force for {asked.module} from the next run on: {origin.words}.")


def _say(asked: argparse.Namespace, version: int | None, sentence: str) -> None:
    plain = {"company": only_company(asked), "module": asked.module, "version": version}
    print(json.dumps(plain) if asked.json else sentence)


def _company(name: str) -> Company:
    return companies.load_one(companies.INCLUDE / "companies", name)


def _origin(connection: Connection[Any], company: Company, module: str) -> Origin:
    origins = in_force.origins(connection, company)
    if module not in origins:
        raise SettingsError(
            f"There is no mapping for {module}. Known to company {company.name} are: "
            f"{', '.join(sorted(origins))}."
        )
    return origins[module]


def _text(
    connection: Connection[Any], company: Company, module: str, which: str
) -> tuple[str, str]:
    """What a mapping is called, and its text: of a version by its number, of the file, or of what
    is in force."""
    if which not in (FILE, IN_FORCE):
        found = versions.version(connection, company.name, module, _number(which))
        return found.file, found.content
    origin = _origin(connection, company, module)
    words = origin.used if which == IN_FORCE else origin.filed
    return words.file, words.text


def _number(which: str) -> int:
    if not (which.isascii() and which.isdigit()):
        raise SettingsError(
            f"'{which}' is no version. Write its number, or {FILE}; mapping-versions lists them."
        )
    return int(which)


_MODULE: dict[str, Any] = {"metavar": "MODULE", "help": "such as accounts"}
_WHICH = f"the number of a version, {FILE}, or {IN_FORCE}"

COMMANDS = {
    "mappings": Command(_mappings, "show which mapping each module uses, and where that is from"),
    "mapping-versions": Command(
        _versions,
        "list the stored versions of a mapping, newest first, with what each changed",
        {"module": _MODULE, "--company": ONE},
    ),
    "mapping-show": Command(
        _show,
        "print a mapping as YAML, for a file in include/mappings/",
        {
            "module": _MODULE,
            "which": {"metavar": "WHICH", "nargs": "?", "default": IN_FORCE, "help": _WHICH},
            "--company": ONE,
        },
    ),
    "mapping-compare": Command(
        _compare,
        "show what two mappings of a module say differently, in words and line by line",
        {
            "module": _MODULE,
            "one": {"metavar": "ONE", "help": _WHICH},
            "other": {"metavar": "OTHER", "nargs": "?", "default": IN_FORCE, "help": _WHICH},
            "--company": ONE,
        },
    ),
    "mapping-store": Command(
        _store,
        "store a mapping as a new version for one company; it is not in force by that",
        {
            "module": _MODULE,
            "file": {
                "metavar": "FILE",
                "type": Path,
                "help": "a YAML file, or - for what comes in",
            },
            "--based-on": {
                "type": int,
                "required": True,
                "metavar": "N",
                "help": "the newest version you have seen; 0: there was none",
            },
            "--note": {"default": "", "metavar": "TEXT", "help": "why it was made"},
            "--company": ONE,
        },
    ),
    "mapping-use": Command(
        _use,
        "put a stored version in force for one company, or the file again",
        {
            "module": _MODULE,
            "which": {"metavar": "WHICH", "help": f"the number of a version, or {FILE}"},
            "--company": ONE,
        },
    ),
}
