"""Whether an error says that a table does not take a row, or that something else is at fault."""

import psycopg

FAULTS = ("08", "25", "40", "42", "53", "57", "58", "XX", "55P03")
"""Errors that say nothing of a row: the server, the statement or a lock is at fault. They stop the
load; `sync.is_refusal` knows the same ones."""


def let_faults_through(error: psycopg.Error) -> None:
    """Raise the error unless it is a refusal."""
    if (error.sqlstate or "XX").startswith(FAULTS):
        raise error
