"""How the tests are shared out when pytest runs in several processes (`-n 4`).

A file's tests stay together and in order. So do all files that need the demo: there is one, with
one Airflow, and a second beside it would cost minutes and want the same ports.
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

NEED_DEMO = (
    "tests/acceptance/test_demo.py",
    "tests/acceptance/test_preview_in_airflow.py",
    "tests/acceptance/test_undo_in_airflow.py",
    "tests/acceptance/test_webhooks.py",
    "tests/browser/",
)


class Sharing(LoadFileScheduling):
    """Gives each process a file at a time, and all that need the demo to one of them."""

    def _split_scope(self, nodeid: str) -> str:
        return "demo" if nodeid.startswith(NEED_DEMO) else super()._split_scope(nodeid)
