"""What the words of one mapping must be to each other.

Works on the words as written, whatever else is wrong with them, so that one reading finds all. Key
and check fields may lack a line of fields here: whether the CRM requires them comes first, and that
only its table can tell, so `lacking.misfits` tells them.
"""

from collections.abc import Iterator
from typing import Any

from quickbooks_crm.mapping.document import Document, Place
from quickbooks_crm.mapping.problems import Problem, nearest, quoted
from quickbooks_crm.mapping.words import MAPPING


def relations(document: Document) -> list[Problem]:
    """Every word that does not fit another one of the same file."""
    rules = (
        _sources,
        _references,
        _owners,
        _edits,
        _keys,
        _policies,
        _flags,
        _company,
        _repeats,
        _variants,
        _lines,
    )
    return [document.says(place, said) for rule in rules for place, said in rule(document.tree)]


Found = Iterator[tuple[Place, str]]
_SOURCE = {"from", "value"}


def _group(tree: Any, *place: str) -> dict[str, Any]:
    for part in place:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def _list(tree: Any, *place: str) -> list[Any]:
    written = _group(tree, *place[:-1]).get(place[-1])
    return written if isinstance(written, list) else []


def _columns(tree: Any) -> dict[str, dict[str, Any]]:
    return {
        column: words for column, words in _group(tree, "fields").items() if isinstance(words, dict)
    }


def _meant(column: str, tree: Any) -> str:
    """A word about the column of fields that was probably meant by one that is none."""
    columns = _columns(tree)
    near = None if column in columns else nearest(column, columns)
    return f"Did you mean {near!r}? " if near else ""


def _all_known(place: Place, words: Any) -> bool:
    """Whether every word here is one: else the one that is missing may only be misspelt."""
    return isinstance(words, dict) and all(MAPPING.at((*place, word)) for word in words)


def _sources(tree: Any) -> Found:
    if tree.get("fields") == {}:
        yield ("fields",), "is empty. Write at least one column, such as name: {from: Name}."
    for column, words in _columns(tree).items():
        place = ("fields", column)
        if "from" in words and "value" in words:
            yield (*place, "value"), "cannot stand beside from: keep the one that is meant."
        elif not _has_source(tree, words) and _all_known(place, words):
            yield place, "has no source. Write from: and a path, or value: and a constant."
        if "value" in words and "default" in words:
            yield (*place, "default"), "is never used beside value. Remove it."


def _has_source(tree: Any, words: dict[str, Any]) -> bool:
    """Whether the column gets something from every entity."""
    variants = _group(words, "for_entity")
    sourced = [e for e, own in variants.items() if isinstance(own, dict) and own.keys() & _SOURCE]
    return bool(
        words.keys() & (_SOURCE | {"owner"})
        or (sourced and all(entity in sourced for entity in _list(tree, "entities")))
    )


def _variants(tree: Any) -> Found:
    entities = _list(tree, "entities")
    for column, words in _columns(tree).items():
        for entity, own in _group(words, "for_entity").items():
            place = ("fields", column, "for_entity", entity)
            if entities and entity not in entities:
                yield place, f"is none of the entities: {', '.join(map(str, entities))}. Remove it."
            if isinstance(own, dict) and own.keys() >= _SOURCE:
                yield (*place, "value"), "cannot stand beside from: keep the one that is meant."


def _lines(tree: Any) -> Found:
    """The same of a document's lines; what the sync itself fills must not be among the fields."""
    lines = _group(tree, "lines")
    if not lines:
        return
    same = {**lines, "entities": tree.get("entities")}
    for rule in (_sources, _references, _variants):
        for place, said in rule(same):
            yield ("lines", *place), said
    for word in ("parent", "position", "company"):
        column = lines.get(word)
        if isinstance(column, str) and column in _group(lines, "fields"):
            said = f"is filled by the sync itself, as {word}: {column} says. Remove one of the two."
            yield ("lines", "fields", column), said
    if "." in str(lines.get("from", "")):
        yield ("lines", "from"), "must be the name of one list, such as Line."


_BESIDE = {
    "refers": ("value", "default", "kind", "lookup", "keywords", "owner"),
    "lookup": ("value",),
    "keywords": ("kind",),
}


def _references(tree: Any) -> Found:
    for column, words in _columns(tree).items():
        for word in (word for word in _BESIDE if word in words):
            place = ("fields", column)
            for other in _BESIDE[word]:
                if other in words:
                    yield (*place, other), f"cannot stand beside {word}. Remove it."
            for at in _joins(words.get("from")) if word != "keywords" else ():
                said = f"cannot stand beside {word}, which takes an id. Write the path of the id."
                yield (*place, "from", *at, "join"), said


def _joins(source: Any) -> list[Place]:
    """Where a source joins several values."""
    if isinstance(source, list):
        return [(at,) for at, one in enumerate(source) if isinstance(one, dict) and "join" in one]
    return [()] if isinstance(source, dict) and "join" in source else []


def _same_as(owner: Any) -> Any:
    """The column of the record whose owner is inherited, where one is named."""
    return owner.get("same_as") if isinstance(owner, dict) else owner


def _owners(tree: Any) -> Found:
    for column, words in _columns(tree).items():
        same_as = _same_as(words.get("owner"))
        if "owner" in words:
            for word in ("default", "kind", "keywords"):
                if word in words:
                    yield ("fields", column, word), "cannot stand beside owner. Remove it."
        if isinstance(same_as, str):
            yield from _inherited(tree, column, words, same_as)


def _inherited(tree: Any, column: str, words: dict[str, Any], same_as: str) -> Found:
    place = ("fields", column, "owner")
    for word in ("from", "value"):
        if word in words:
            yield ("fields", column, word), f"is never used: the owner is that of {same_as}."
    if "refers" not in _columns(tree).get(same_as, {}):
        yield (
            place,
            f"names {quoted(same_as)}, which is no field that refers to a record. "
            f"{_meant(same_as, tree)}Write true, or a column whose line has refers.",
        )


def _edits(tree: Any) -> Found:
    for column, words in _columns(tree).items():
        if words.get("edits") != "crm":
            continue
        place = ("fields", column, "edits")
        if column == _group(tree, "import").get("key"):
            yield place, "cannot be 'crm': it is the key. Write quickbooks, or remove it."
        elif "refers" in words:
            yield place, "cannot be 'crm' beside refers. Write quickbooks, or remove it."
        if "blank_overwrites" in words:
            said = "cannot stand beside edits: crm, where a person's value stays. Remove it."
            yield ("fields", column, "blank_overwrites"), said


def _policies(tree: Any) -> Found:
    """What concerns owners and sub-customers, in a mapping that has none."""
    written, columns = _group(tree, "import"), _columns(tree).values()
    owned = (words["owner"] for words in columns if "owner" in words)
    if "default_owner" in written and all(isinstance(_same_as(owner), str) for owner in owned):
        said = "has no use: no field here has an owner of its own. Remove it."
        yield ("import", "default_owner"), said
    parents = (words for words in columns if "refers" in words)
    if "child_accounts" in written and not any(
        "ParentRef.value" in str(words.get("from")) for words in parents
    ):
        said = "has no use: no field here is from ParentRef.value and refers. Remove it."
        yield ("import", "child_accounts"), said


def _keys(tree: Any) -> Found:
    mode = _group(tree, "import").get("mode", "merge")
    key = _group(tree, "import").get("key")
    place = ("import", "key")
    if mode == "create" and key is not None:
        yield place, "has no use with mode create, which never looks for a record. Remove it."
    elif mode in ("merge", "ignore") and "key" not in _group(tree, "import"):
        above: Place = ("import",) if "import" in tree else ()
        if not _all_known(above, tree["import"] if above else tree):
            return
        yield place, f"is missing. With mode {mode}, write the column that finds a record again."
    within = _group(tree, "import").get("within")
    if isinstance(within, str) and (not key or within not in _columns(tree)):
        said = "parts records with the same key: write a key, and give this column a source."
        yield ("import", "within"), f"{said} {_meant(within, tree)}".rstrip()
    if isinstance(key, str) and mode != "create":
        words = _columns(tree).get(key, {})
        if "value" in words:
            yield place, f"cannot be {quoted(key)}: every record has the same value there."
        if "refers" in words:
            yield (
                place,
                f"cannot be {quoted(key)}: a reference may still be open. Take an id or a name.",
            )
        elif "owner" in words:
            yield (
                place,
                f"cannot be {quoted(key)}: many have the same owner. Take an id.",
            )


def _flags(tree: Any) -> Found:
    for word in ("when_inactive", "when_deleted", "when_merged"):
        for column in _group(tree, word):
            said = _unfit_flag(tree, column)
            if said:
                yield (word, column), said


def _unfit_flag(tree: Any, column: str) -> str:
    if column == _group(tree, "import").get("key"):
        return "is the key, which must stay. Remove it."
    if "refers" in _columns(tree).get(column, {}):
        return "is a reference, which cannot be set to a constant. Remove it."
    if column not in _group(tree, "fields"):
        return (
            f"is not a column of fields. {_meant(column, tree)}Give it a source there too, such as "
            "value: false, so that a record that comes back loses the flag."
        )
    return ""


def _company(tree: Any) -> Found:
    company = tree.get("company")
    if isinstance(company, str) and company in _group(tree, "fields"):
        said = f"is filled by the sync itself, as company: {company} says. Remove one of the two."
        yield ("fields", company), said


def _repeats(tree: Any) -> Found:
    lists: list[tuple[str, ...]] = [("entities",), ("import", "check")]
    lists += [("fields", column, "from") for column in _columns(tree)]
    lists += [("fields", column, "from", "join") for column in _columns(tree)]
    for place in lists:
        items = _list(tree, *place)
        for index, item in enumerate(items):
            if isinstance(item, str) and item in items[:index]:
                yield (*place, index), f"is there already: {quoted(item)}. Remove it."
