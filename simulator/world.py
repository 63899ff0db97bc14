"""Everything a running simulator is made of, for the routes to share."""

import secrets
import time
from collections.abc import Callable

from simulator.clock import Clock
from simulator.company import Company
from simulator.faults import Faults
from simulator.ledger import Ledger, Throttle
from simulator.oauth import Tokens
from simulator.settings import Settings
from simulator.unrest import Unrest
from simulator.webhooks import Webhooks


class World:
    """A company, its tokens, the faults to come and the ledger."""

    def __init__(self, settings: Settings, company: Company) -> None:
        self.settings = settings
        self.company = company
        self.tokens = Tokens(
            company.clock,
            settings.refresh_token,
            settings.rotation,
            settings.reuse,
            settings.grace_seconds,
        )
        self.faults = Faults()
        self.ledger = Ledger()
        self.throttle = Throttle(settings.throttle)
        self.unrest = Unrest()
        self.webhooks = Webhooks(settings.realm)
        company.listeners.append(self.webhooks.hear)
        self.failures: list[Exception] = []

    @property
    def clock(self) -> Clock:
        """The clock that everything in this world goes by."""
        return self.company.clock

    def switch_to(self, company: Company) -> None:
        """Let the same address and the same tokens lead to another company."""
        company.clock = self.clock
        self.close()
        company.listeners.append(self.webhooks.hear)
        self.company = company

    def close(self) -> None:
        """Hear no more of the company's changes."""
        if self.webhooks.hear in self.company.listeners:
            self.company.listeners.remove(self.webhooks.hear)

    def do(self, act: Callable[[], object]) -> None:
        """Do what a test asked for; its failure is the test's, and no answer to the caller."""
        try:
            act()
        except Exception as failure:  # whatever it is, the test is told
            self.failures.append(failure)


def new_tid() -> str:
    """A transaction id, as in the header `intuit_tid`."""
    return f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
