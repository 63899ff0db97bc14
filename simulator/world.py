"""Everything a running simulator is made of, for the routes to share."""

import secrets
import time

from simulator.clock import Clock
from simulator.company import Company
from simulator.faults import Faults
from simulator.ledger import Ledger, Throttle
from simulator.oauth import Tokens
from simulator.settings import Settings


class World:
    """A company, its tokens, the faults to come and the ledger."""

    def __init__(self, settings: Settings, company: Company) -> None:
        self.settings = settings
        self.company = company
        self.tokens = Tokens(
            company.clock, settings.refresh_token, settings.rotation, settings.reuse
        )
        self.faults = Faults()
        self.ledger = Ledger()
        self.throttle = Throttle(settings.throttle)

    @property
    def clock(self) -> Clock:
        """The clock that everything in this world goes by."""
        return self.company.clock


def new_tid() -> str:
    """A transaction id, as in the header `intuit_tid`."""
    return f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
