"""What may happen to a company from run to run, in any order, as Hypothesis makes it up."""

import itertools
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.integration.model_values import (
    MODULES,
    REFERS,
    REFUSED,
    Customer,
    Invoice,
    Key,
    Line,
    Settings,
)


@dataclass(frozen=True)
class Changes:
    """QuickBooks says something new of a customer."""

    customer: Customer


@dataclass(frozen=True)
class Bills:
    """QuickBooks says something new of an invoice."""

    invoice: Invoice


@dataclass(frozen=True)
class ChangesLine:
    """A person changes the text of a line of a document, counted round, or deletes the line."""

    number: int
    position: int
    text: str | None


@dataclass(frozen=True)
class Makes:
    """A person makes a record."""

    module: str
    values: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Supplies:
    """A person makes the account that a reference waits for, of those counted round."""

    number: int
    name: str


@dataclass(frozen=True)
class Edits:
    """A person changes a column of a record, counted round."""

    module: str
    number: int
    column: str
    value: Any


@dataclass(frozen=True)
class Removes:
    """A person deletes a record, counted round."""

    module: str
    number: int


@dataclass(frozen=True)
class Sets:
    """A person changes the mapping of a module."""

    module: str
    says: Settings


@dataclass(frozen=True)
class Decides:
    """A person changes what becomes of sub-customers where a mapping says nothing of them."""

    children: str


@dataclass(frozen=True)
class Employs:
    """A user becomes active, or leaves."""

    user: Key
    active: bool


@dataclass(frozen=True)
class Merges:
    """QuickBooks tells that a customer was merged into another."""

    loser: str
    survivor: str


@dataclass(frozen=True)
class Syncs:
    """A run: how many rows are staged at a time, and whether those of a module once the ones before
    it are loaded; whether records arrive backwards, and each of them in a generation of its own;
    whether all customers are sent again, and the tasks repeated; who owns what nobody is named for;
    how often the run is then undone, and the undo, and its undo; which modules it takes, and
    whether it is a replay, which brings all of them to their mappings."""

    batch: int
    late: bool
    backwards: bool
    apart: bool
    everything: bool
    twice: bool
    default_owner: str | None
    undone: int
    modules: tuple[str, ...] = MODULES
    replays: bool = False


Act = Changes | Bills | ChangesLine | Makes | Supplies | Edits | Removes | Employs | Merges
Step = Act | Sets | Decides | Syncs

ids = st.sampled_from(("2", "10", "12sync"))
NAMES = ("Pump", "PUMP ", "Ｐu\u00admp", "Hose", " hose", "Valve")
hand_names = st.sampled_from(NAMES)
names = st.sampled_from((*NAMES * 6, None, "\u200b ", "Name too long", REFUSED, REFUSED))
codes = st.sampled_from((None, None, "", "A", " a", "B", "C"))
notes = st.sampled_from((None, None, None, "x"))
customers = st.builds(
    Customer,
    ids,
    st.fixed_dictionaries(
        {
            "DisplayName": names,
            "FamilyName": names,
            "Code": codes,
            "Note": notes,
            "Tags": st.sampled_from((*[None] * 4, "big", "New|Large ", "new | x|New", "Old|NEW")),
            "Rep": st.sampled_from((*[None] * 4, "U1", " u1", "U2", "U9")),
            "ParentRef": st.sampled_from((None, None, "2", "10", "12sync", "99")),
        }
    ),
    st.sampled_from((True, True, True, False)),
    st.sampled_from((False,) * 11 + (True,)),
)
invoices = st.builds(
    Invoice,
    st.sampled_from(("2", "7")),
    st.sampled_from((None, "", "N1", "N2")),
    st.sampled_from((None, "2", "10", "99")),
    st.lists(
        st.builds(
            Line,
            st.sampled_from((*["A pump", "A hose", None] * 4, "Text too long", REFUSED)),
            st.sampled_from((None, "2", "10", "12sync")),
        ),
        max_size=3,
    ).map(tuple),
    st.sampled_from((False,) * 7 + (True,)),
)
CHILDREN = ("child_account", "child_account", "roll_up", "skip")
OWN_CHILDREN = (None, None, None, "child_account", "roll_up", "skip")
modules = st.sampled_from(sorted(REFERS))
checks = {
    "accounts": st.sampled_from(((), ("name",), ("name",), ("name", "code"), ("code",))),
    "contacts": st.sampled_from(((), ("name", "account_id"), ("name",), ("code", "name"))),
}


def says(module: str) -> st.SearchStrategy[Settings]:
    modes = st.sampled_from(
        (
            *[("merge", "quickbooks_id")] * 4,
            ("merge", "code"),
            ("merge", "code"),
            ("merge", "name"),
            ("ignore", "code"),
            ("ignore", "quickbooks_id"),
            ("create", None),
        )
    )
    return st.builds(
        lambda mode, check, typed, *others: Settings(
            mode[0], mode[1], check, typed or mode[1] == "quickbooks_id", *others
        ),
        modes,
        checks[module],
        st.sampled_from((True, True, False)),
        st.sampled_from((False, False, True)),
        st.sampled_from((False, False, True)),
        st.booleans(),
        st.booleans(),
        st.sampled_from((False, False, module == "accounts")),
        st.sampled_from(OWN_CHILDREN if module == "accounts" else (None,)),
    )


made = st.builds(
    lambda module, company, typed, name, code, note: Makes(
        module,
        (
            ("company", company),
            ("quickbooks_id", typed),
            ("name", name),
            ("code", code),
            ("note", note),
        ),
    ),
    modules,
    st.sampled_from(("own", "own", None, "another")),
    st.sampled_from((None, None, "2", "10", "99")),
    hand_names,
    st.sampled_from((None, "A", "B", "a")),
    notes,
)
supplied = st.builds(Supplies, st.integers(0, 9), hand_names)
edited = st.builds(
    lambda module, number, what: Edits(module, number, *what),
    modules,
    st.integers(0, 9),
    st.tuples(st.just("name"), hand_names)
    | st.tuples(st.sampled_from(("code", "note")), st.sampled_from((None, "A", "x", "y")))
    | st.tuples(st.just("quickbooks_id"), st.sampled_from((None, "2", "99")))
    | st.tuples(st.just("tags"), st.sampled_from((None, ["mine"], ["Big"])))
    | st.tuples(st.just("owner_id"), st.sampled_from((None, 1, 3))),
)
edited |= st.builds(
    Edits, st.just("documents"), st.integers(0, 9), st.just("number"), st.sampled_from((None, "N3"))
)
corrected = st.builds(
    ChangesLine, st.integers(0, 9), st.integers(1, 3), st.sampled_from((None, "Corrected"))
)
removed = st.builds(Removes, st.sampled_from(MODULES), st.integers(0, 9))
changed = st.builds(Changes, customers)
billed = st.builds(Bills, invoices)
SOME = tuple(some for number in (1, 2) for some in itertools.combinations(MODULES, number))
"""What a run may take beside all modules."""
taken = st.sampled_from((MODULES,) * len(SOME) + SOME)
syncs = st.builds(
    Syncs,
    st.sampled_from((2, 5000, 5000)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from((False, False, True)),
    st.sampled_from((False, False, True)),
    st.sampled_from((None, "u1", "U2")),
    st.sampled_from((0, 0, 0, 1, 2, 3)),
    taken,
    st.sampled_from((*[False] * 5, True)),
)
employed = st.builds(Employs, st.sampled_from((1, 2, 3)), st.booleans())
merged = st.builds(Merges, ids, ids).filter(lambda told: told.loser != told.survivor)
settled = modules.flatmap(lambda module: st.builds(Sets, st.just(module), says(module)))
decided = st.builds(Decides, st.sampled_from(CHILDREN))
people = st.sampled_from(
    (made, supplied, supplied, *[edited] * 6, corrected, removed, employed, merged)
).flatmap(lambda act: act)
periods = st.builds(
    lambda news, bills, acts, sync: [*news, *bills, *acts, sync],
    st.lists(changed, min_size=1, max_size=6),
    st.lists(billed, max_size=2),
    st.lists(
        st.sampled_from((*[people] * 6, settled, decided)).flatmap(lambda act: act), max_size=4
    ),
    syncs,
)


@dataclass(frozen=True)
class Story:
    """How the mappings and the company are set at first, and what happens then."""

    accounts: Settings
    contacts: Settings
    children: str
    steps: tuple[Step, ...]


stories = st.builds(
    lambda accounts, contacts, children, periods: Story(
        accounts, contacts, children, tuple(step for period in periods for step in period)
    ),
    says("accounts"),
    says("contacts"),
    st.sampled_from(CHILDREN),
    st.lists(periods, min_size=2, max_size=6),
)
good = st.builds(
    Customer,
    ids,
    st.fixed_dictionaries(
        {
            "DisplayName": hand_names,
            "FamilyName": hand_names,
            "Code": codes,
            "Note": notes,
            "Tags": st.none(),
            "Rep": st.none(),
            "ParentRef": st.sampled_from((None, "2", "10", "12sync")),
        }
    ),
    st.booleans(),
)
