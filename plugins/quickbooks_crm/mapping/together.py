"""All mappings of a project: what they say of each other, and the order in which they load."""

from collections.abc import Iterator
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain
from pathlib import Path

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping.document import of_file
from quickbooks_crm.mapping.model import ChildAccounts, Condition, Exclusion, Field, Mapping
from quickbooks_crm.mapping.problems import CHECK_AGAIN, Problem, quoted, report, suggestion
from quickbooks_crm.mapping.reading import attempt, outline
from quickbooks_crm.mapping.shape import is_module_name

Problems = dict[str, list[Problem]]

_NO_ACCOUNT = {
    "roll_up": "a sub-customer, whose records belong to the account of its topmost parent",
    "skip": "a sub-customer, which this company leaves out",
}


@dataclass(frozen=True)
class Written:
    """The words of a mapping before they are looked at: what messages call the place where they
    stand, and what is wrong with that."""

    file: str
    text: str
    problems: tuple[Problem, ...] = ()


def load(directory: Path, own: ReadOnly[str, str] | None = None) -> dict[str, Mapping]:
    """The mapping of every module that has a file in the directory; an `own` file, by module, comes
    in the place of the module's usual one.

    One MappingError names all problems of all files.
    """
    return parse_written(written(directory, own))


def written(directory: Path, own: ReadOnly[str, str] | None = None) -> dict[str, Written]:
    """What the files that `load` reads say, each module's."""
    usual = [_of_file(file, file.name) for file in files(directory) if file.stem not in (own or {})]
    others = {module: _own(directory, name) for module, name in (own or {}).items()}
    if not usual and not others:
        raise MappingError(f"There are no mappings: {directory} holds no files that end in .yaml.")
    return {Path(each.file).stem: each for each in usual} | others


def parse_written(found: ReadOnly[str, Written], then: str = CHECK_AGAIN) -> dict[str, Mapping]:
    """The mappings in what is written of all modules; one MappingError names all problems, and what
    to do then."""
    mappings, problems = looked_at(found)
    if any(problems.values()):
        raise MappingError(report(problems, then=then))
    return {module: _resolved(mapping, mappings) for module, mapping in mappings.items()}


def parse_all(
    texts: ReadOnly[str, str], named: ReadOnly[str, str] | None = None
) -> dict[str, Mapping]:
    """The mappings in the texts of several modules, as `load` has them of their files. `named` is
    what messages call those that are not of the module's usual file."""
    called = named or {}
    return parse_written({m: Written(called.get(m, f"{m}.yaml"), texts[m]) for m in texts})


def _of_file(file: Path, name: str) -> Written:
    text, problems = of_file(file)
    return Written(name, text, (*misnamed(file), *problems))


def _own(directory: Path, name: str) -> Written:
    file = directory / name
    if not file.is_file():
        said = (
            f"the file is not there. Add {directory.name}/{name}, or correct mappings in the file "
            "of the company."
        )
        return Written(name, "", (Problem(1, said),))
    return _of_file(file, name)


def with_children(
    mappings: ReadOnly[str, Mapping], child_accounts: ChildAccounts
) -> dict[str, Mapping]:
    """The mappings as they are for a company that wants this of its sub-customers; what a mapping
    says itself counts more."""
    wanted = {name: known.child_accounts or child_accounts for name, known in mappings.items()}
    return {
        module: _without_children(mapping, wanted[module])
        if mapping.has_children and wanted[module] != "child_account"
        else mapping
        for module, mapping in mappings.items()
    }


def _without_children(mapping: Mapping, child_accounts: ChildAccounts) -> Mapping:
    """Another mapping, with a hash of its own: records held back are tried again with it."""
    exclusion = Exclusion(
        (Condition(("ParentRef", "value"), "blank", ("false",)),), _NO_ACCOUNT[child_accounts]
    )
    return replace(
        mapping,
        hash=sha256(f"{mapping.hash} {child_accounts}".encode()).hexdigest(),
        exclude=(*mapping.exclude, exclusion),
        rolls_up=child_accounts == "roll_up",
    )


def files(directory: Path) -> list[Path]:
    """The files of the directory that are settings, in the order of their names."""
    found = [file for ending in ("*.yaml", "*.yml") for file in directory.glob(ending)]
    return sorted(file for file in found if not file.name.startswith("."))


def misnamed(file: Path) -> Iterator[Problem]:
    """What is wrong with the name of a settings file."""
    if file.suffix != ".yaml":
        yield Problem(1, "the file's name must end in .yaml. Rename it.")
    if not is_module_name(file.stem):
        yield Problem(1, "the file's name may have small letters, digits and _ only. Rename it.")


def looked_at(found: ReadOnly[str, Written]) -> tuple[dict[str, Mapping], Problems]:
    """The mappings that are right by themselves, and all that is wrong, by file; also what those
    that are not say of others."""
    mappings: dict[str, Mapping] = {}
    outlines: dict[str, Mapping] = {}
    problems: Problems = {each.file: list(each.problems) for each in found.values()}
    for module, each in found.items():
        if not each.problems:
            mapping, said = attempt(module, each.text, each.file)
            problems[each.file] += said
            if mapping:
                mappings[module] = mapping
            else:
                outlines[module] = outline(module, each.text, each.file)
    everyone = mappings | outlines
    told = [_unresolved(everyone, dict.fromkeys(found, "")), _cycles(everyone)]
    told += [rule(mappings) for rule in (_shared, _same_key, _compared)]
    for file, problem in chain.from_iterable(told):
        problems[file].append(problem)
    return mappings, problems


def references(mapping: Mapping) -> list[Field]:
    """The fields that point to records of a module, perhaps of the same one; a document's lines'
    too."""
    return [field for part in mapping.parts for field in part.fields.values() if field.refers]


def referred_by(mapping: Mapping) -> set[str]:
    """The modules that these fields refer to."""
    return {field.refers.module for field in references(mapping) if field.refers}


Found = Iterator[tuple[str, Problem]]


def _unresolved(mappings: ReadOnly[str, Mapping], modules: ReadOnly[str, str]) -> Found:
    for mapping in mappings.values():
        for part, field in _placed(mapping):
            said = _wrong(field, mappings, modules)
            if said:
                place = f"fields.{field.column}.refers"
                yield mapping.file, Problem(part.line(place), f"{part.at}{place} {said}")


def _placed(mapping: Mapping) -> Iterator[tuple[Mapping, Field]]:
    """Every reference with the part of the file that it is in."""
    for part in mapping.parts:
        yield from ((part, field) for field in part.fields.values() if field.refers)


def _wrong(field: Field, mappings: ReadOnly[str, Mapping], modules: ReadOnly[str, str]) -> str:
    if not field.refers:
        return ""
    module, entity = field.refers.module, field.refers.entity
    if module not in modules:
        return (
            f"names a module that has no mapping: {quoted(module)}. {suggestion(module, modules)}"
        )
    target = mappings.get(module)
    if target is None or not target.entities or entity in target.entities:
        return ""
    if entity:
        return (
            f"names an entity that {module} does not hold: {quoted(entity)}. "
            f"{suggestion(entity, target.entities)}"
        )
    if len(target.entities) > 1:
        return (
            f"must say which entity of {module} it is: {', '.join(target.entities)}. "
            f"Write {{module: {module}, entity: {target.entities[0]}}}."
        )
    return ""


def _same_key(mappings: ReadOnly[str, Mapping]) -> Found:
    """Different entities of one table found by the same key: an id of one may be one of another, so
    each mapping must say which records are its own."""
    first: dict[tuple[str, str], Mapping] = {}
    for mapping in mappings.values():
        if mapping.key:
            other = first.setdefault((mapping.table, mapping.key), mapping)
            split = mapping.within is not None and mapping.within == other.within
            if not (split or set(mapping.entities) & set(other.entities)):
                said = (
                    f"import.key {quoted(mapping.key)} finds the records of {other.file} in "
                    f"{mapping.table} too. Take another column, or say in both files which records "
                    "are whose, such as within: kind."
                )
                yield mapping.file, Problem(mapping.line("import.key"), said)


def _compared(mappings: ReadOnly[str, Mapping]) -> Found:
    """Columns by which a module's records are compared and that refer to others of the module: what
    is equal would depend on which of them have come before."""
    for mapping in mappings.values():
        names = {f"import.check.{place}": name for place, name in enumerate(mapping.check, 1)}
        names |= {"import.within": mapping.within} if mapping.within else {}
        for place, name in names.items():
            refers = mapping.fields[name].refers if name in mapping.fields else None
            if refers and refers.module == mapping.module:
                said = (
                    f"{place} cannot be {quoted(name)}: it refers to other records of "
                    f"{mapping.module}, which may come later. Take it out, or name another column."
                )
                yield mapping.file, Problem(mapping.line(place), said)


def _shared(mappings: ReadOnly[str, Mapping]) -> Found:
    fed: dict[tuple[str, str], Mapping] = {}
    for mapping in mappings.values():
        for entity in mapping.entities:
            other = fed.setdefault((mapping.table, entity), mapping)
            if other is not mapping:
                said = (
                    f"table {mapping.table} gets the records of {entity} from {other.file} too. "
                    "Keep one of the two."
                )
                yield mapping.file, Problem(mapping.line("table"), said)


def _cycles(mappings: ReadOnly[str, Mapping]) -> Found:
    _, stuck = _ordered(mappings)
    for module in sorted(stuck):
        path = _way_back(mappings, module)
        if path and module == min(path):
            mapping = mappings[module]
            part, field = next(
                (p, f) for p, f in _placed(mapping) if f.refers and f.refers.module == path[1]
            )
            place = f"fields.{field.column}.refers"
            said = (
                f"{part.at}{place} closes a circle: {' -> '.join(path)}. "
                "Take one of these references out."
            )
            yield mapping.file, Problem(part.line(place), said)


def _way_back(mappings: ReadOnly[str, Mapping], start: str) -> list[str]:
    """The shortest way from a module through references back to itself."""
    ways = [[start]]
    seen: set[str] = set()
    for way in ways:
        for target in sorted(_needs(mappings[way[-1]], mappings)):
            if target == start:
                return [*way, start]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return []


def load_order(mappings: ReadOnly[str, Mapping]) -> list[str]:
    """The modules so that each comes after those it refers to; MappingError when there is a circle.

    Between modules free to go, one that refers to nothing at all comes first (products, which
    everything may point to one day), then the alphabet decides.
    """
    order, stuck = _ordered(mappings)
    if stuck:
        problems: Problems = {}
        for file, problem in _cycles(mappings):
            problems.setdefault(file, []).append(problem)
        raise MappingError(report(problems))
    return order


def order_of_any(mappings: ReadOnly[str, Mapping]) -> list[str]:
    """The same of mappings that were never in force together: those of a circle come last."""
    order, stuck = _ordered(mappings)
    return [*order, *sorted(stuck)]


def loads_after(mappings: ReadOnly[str, Mapping]) -> dict[str, set[str]]:
    """After which other modules each one loads, in load order: those before it that write a table
    which it writes, too. The others need not wait for each other."""
    after: dict[str, set[str]] = {}
    for module in load_order(mappings):
        own = _written(mappings[module], mappings)
        after[module] = {other for other in after if own & _written(mappings[other], mappings)}
    return after


def _written(mapping: Mapping, mappings: ReadOnly[str, Mapping]) -> set[str]:
    """The tables that a load writes: its own, and those whose records it closes references of."""
    referring = [m for m in mappings.values() if mapping.module in _needs(m, mappings)]
    return {mapping.table, *(other.table for other in referring)}


def _ordered(mappings: ReadOnly[str, Mapping]) -> tuple[list[str], set[str]]:
    waiting = {module: _needs(mapping, mappings) for module, mapping in mappings.items()}
    order: list[str] = []
    while free := [module for module, needs in waiting.items() if needs <= set(order)]:
        first = min(free, key=lambda module: (bool(references(mappings[module])), module))
        order.append(first)
        del waiting[first]
    return order, set(waiting)


def _needs(mapping: Mapping, mappings: ReadOnly[str, Mapping]) -> set[str]:
    targets = referred_by(mapping)
    return targets & set(mappings) - {mapping.module}


def _resolved(mapping: Mapping, mappings: ReadOnly[str, Mapping]) -> Mapping:
    """The mapping with every reference's entity filled in."""
    lines = mapping.lines
    if lines:
        lines = replace(lines, rows=replace(lines.rows, fields=_named(lines.rows, mappings)))
    return replace(mapping, fields=_named(mapping, mappings), lines=lines)


def _named(part: Mapping, mappings: ReadOnly[str, Mapping]) -> dict[str, Field]:
    fields = dict(part.fields)
    for field in fields.values():
        if field.refers and not field.refers.entity:
            target = mappings[field.refers.module].entities[0]
            fields[field.column] = replace(field, refers=replace(field.refers, entity=target))
    return fields
