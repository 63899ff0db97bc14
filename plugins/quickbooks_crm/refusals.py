"""Whether an error says that a table does not take a row, or that something else is at fault."""

import psycopg

FAULTS = ("08", "25", "40", "53", "57", "58", "XX", "55P03")
"""Errors that say nothing of a row: the server or a lock is at fault. They stop the load;
`sync.is_refusal` knows the same ones."""

INTERNAL = "XX000"
"""What code of the CRM raises that names no other: a trigger in PL/Python, the input of a type. It
is one of the row for which it happens."""


def let_faults_through(error: psycopg.Error) -> None:
    """Raise the error unless it may be a refusal: one that a trigger raises, whatever it calls it,
    always is. Whether a statement itself is wrong, or lacks a right, shows when it is done row by
    row: then it fails for none, too."""
    state = error.sqlstate or FAULTS[0]
    if state.startswith(FAULTS) and state != INTERNAL and not _raised(error):
        raise error


def _raised(error: psycopg.Error) -> bool:
    """Whether code of the CRM raised the error on purpose: Postgres says so, in any language."""
    return (error.diag.context or "").partition("\n")[0].endswith("RAISE")
