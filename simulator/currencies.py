"""The currencies a company deals in, and what they are worth on a day."""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from random import Random
from zlib import crc32

from simulator.rows import Data

_CENT = Decimal("0.01")
_FOREIGN_SHARE = 0.04


@dataclass(frozen=True)
class Currency:
    """A currency, what one of it is worth in dollars, and where its users are."""

    code: str
    name: str
    worth: Decimal
    country: str
    cities: tuple[tuple[str, ...], ...] = ()

    @property
    def reference(self) -> dict[str, str]:
        """As rows name it."""
        return {"value": self.code, "name": self.name}


DOLLAR = Currency("USD", "United States Dollar", Decimal(1), "USA")
FOREIGN = (
    Currency(
        "EUR",
        "Euro",
        Decimal("1.085"),
        "Germany",
        (
            ("München", "BY", "803", "48.1374", "11.5755", "289"),
            ("Köln", "NW", "506", "50.9375", "6.9603", "221"),
        ),
    ),
    Currency(
        "MXN",
        "Mexican Peso",
        Decimal("0.0562"),
        "Mexico",
        (
            ("Tijuana", "BC", "220", "32.5149", "-117.0382", "664"),
            ("Mérida", "YUC", "970", "20.9674", "-89.5926", "999"),
        ),
    ),
    Currency(
        "AUD",
        "Australian Dollar",
        Decimal("0.663"),
        "Australia",
        (("Sydney", "NSW", "20", "-33.8688", "151.2093", "290"),),
    ),
)


def drawn(random: Random, foreign: float = _FOREIGN_SHARE) -> Currency:
    """The currency of a customer or vendor: the company's own for all but a few."""
    return random.choice(FOREIGN) if random.random() < foreign else DOLLAR


@lru_cache(2_000)
def rate(currency: Currency, month: str) -> Decimal:
    """What one of the currency was worth in dollars in a month, `2026-05`."""
    percent = crc32(f"{currency.code} {month}".encode()) % 900 - 450
    return (currency.worth * (10_000 + percent) / 10_000).quantize(Decimal("0.000001"))


def exchanged(currency: Currency, day: str) -> Data:
    """What a document says of its currency; the rate is told of foreign ones only."""
    if currency is DOLLAR:
        return {"CurrencyRef": DOLLAR.reference}
    return {"CurrencyRef": currency.reference, "ExchangeRate": rate(currency, day[:7])}


def priced(dollars: Decimal, currency: Currency, day: str) -> Decimal:
    """A price of the company's list, in the currency of a document."""
    return dollars if currency is DOLLAR else (dollars / rate(currency, day[:7])).quantize(_CENT)


def at_home(data: Data, **amounts: str) -> Data:
    """Amounts of a foreign document in dollars: `HomeTotalAmt="TotalAmt"`; of others nothing."""
    if "ExchangeRate" not in data:
        return {}
    return {
        name: (Decimal(data[of]) * data["ExchangeRate"]).quantize(_CENT)
        for name, of in amounts.items()
    }
