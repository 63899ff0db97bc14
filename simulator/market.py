"""Who buys from the sample company and what, what it makes them owe, and how few lie among many."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from simulator.clock import DAY
from simulator.customers import Customers, Sketch
from simulator.rows import Data

DAYS = 700
"""So many days back the oldest document lies."""


@dataclass(frozen=True)
class Market:
    """Customers 1 to `size` of a seed, and the items they are sold."""

    seed: int
    now: float
    customers: Customers
    size: int
    sold: list[Data]

    @property
    def latest(self) -> float:
        """After this moment nothing changes any more."""
        return self.now - 3 * DAY

    def random(self, what: str, number: int) -> Random:
        """Chance for one document, the same in a company of any size."""
        return Random(f"{self.seed} {what} {number}")

    def buyer(self, random: Random) -> Sketch:
        """An active customer."""
        while True:
            found = self.customers.sketch(random.randint(1, self.size))
            if found.active:
                return found

    def moment(self, number: int, count: int) -> float:
        """When the number-th of so many documents is written."""
        return self.now - (count - number + 1) / count * DAYS * DAY - 4 * DAY


class Receivable:
    """What each customer owes, alone and together with its jobs."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers
        self.alone: dict[int, Decimal] = defaultdict(Decimal)
        self.with_jobs: dict[int, Decimal] = defaultdict(Decimal)

    def owe(self, customer: Sketch, amount: Decimal) -> None:
        """Add what the customer owes for a document; what is to his credit is less than zero."""
        if not amount:
            return
        self.alone[customer.number] += amount
        above: Sketch | None = customer
        while above:
            self.with_jobs[above.number] += amount
            above = self._customers.sketch(above.parent) if above.parent else None


class Spread:
    """Lays some of so many things evenly among others, each where it can be taken."""

    def __init__(self, count: int, laid: int, among: int) -> None:
        self._count = count
        self._laid = laid
        self._among = among
        self._taken = 0

    def due(self, number: int) -> bool:
        """Whether one should come with the number-th of the others."""
        return self._taken < self._laid * number // self._among

    def take(self) -> int:
        """Take one more: its number."""
        self._taken += 1
        return self._taken

    @property
    def left(self) -> range:
        """The numbers not taken."""
        return range(self._taken + 1, self._count + 1)
