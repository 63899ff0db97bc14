"""Sample vendors and employees; no name of theirs is a customer's."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from random import Random

from simulator import words
from simulator.basics import TERMS, identity, money, slug, vendor_basics
from simulator.clock import DAY, pacific
from simulator.company import DELETED_SUFFIX
from simulator.currencies import DOLLAR, Currency, drawn
from simulator.rows import Data

PLAIN = 4
"""So many first vendors and employees are active; these vendors are paid in dollars."""


class Vendors:
    """The vendors 1 to `count` of a seed."""

    def __init__(self, seed: int, count: int, now: float) -> None:
        self._seed = seed
        self._now = now
        self.count = count
        self._names = words.Combinations(seed, len(words.FAMILY), len(words.SUPPLIES))
        self._people = words.Combinations(seed + 1, len(words.GIVEN), len(words.FAMILY))

    def active(self, number: int) -> bool:
        """Whether one may still buy from the vendor."""
        return number <= PLAIN or self._random("active vendor", number).random() > 0.06

    def currency(self, number: int) -> Currency:
        """What the vendor is paid in."""
        random = self._random("vendor currency", number)
        return drawn(random, 0.1) if number > PLAIN else DOLLAR

    def name(self, number: int) -> str:
        """What the vendor is called."""
        (family, supply), round = self._names.draw(number)
        name = f"{words.FAMILY[family]} {words.SUPPLIES[supply]}"
        name = f"{name} No. {round + 1}" if round else name
        return name if self.active(number) else name + DELETED_SUFFIX

    def rows(self, owed: Mapping[int, Decimal]) -> Iterator[Data]:
        """The records, with what each is owed."""
        for number in range(1, self.count + 1):
            yield self._row(number, money(owed.get(number, Decimal(0))))

    def _random(self, what: str, number: int) -> Random:
        return Random(f"{self._seed} {what} {number}")

    def _row(self, number: int, balance: Decimal | int) -> Data:
        random, name, currency = self._random("vendor", number), *self._called(number)
        plain = name.removesuffix(DELETED_SUFFIX)
        data = vendor_basics(name) | {"Balance": balance, "CurrencyRef": currency.reference}
        data |= {"PrintOnCheckName": plain, "CompanyName": plain}
        data |= {"Vendor1099": random.random() < 0.2, "Active": self.active(number)}
        if random.random() < 0.7:
            data |= {"BillAddr": _address(300_000 + number, currency, random)}
        return data | self._reached(number, plain, random) | _known_since(number, self._now, random)

    def _called(self, number: int) -> tuple[str, Currency]:
        return self.name(number), self.currency(number)

    def _reached(self, number: int, name: str, random: Random) -> Data:
        (given, family), _ = self._people.draw(number)
        data: Data = {}
        if random.random() < 0.6:
            data |= {"GivenName": words.GIVEN[given], "FamilyName": words.FAMILY[family]}
        if random.random() < 0.7:
            data["PrimaryPhone"] = _phone(random)
        if random.random() < 0.7:
            data["PrimaryEmailAddr"] = {"Address": f"orders@{slug(name)}.example.com"}
        if random.random() < 0.3:
            data["WebAddr"] = {"URI": f"http://www.{slug(name)}.example.com"}
        if random.random() < 0.4:
            data["AcctNum"] = str(random.randint(10_000, 99_999))
        if random.random() < 0.4:
            data["TermRef"] = {"value": random.choice(list(TERMS))}
        return data


class Employees:
    """The employees 1 to `count` of a seed, each with two given names."""

    def __init__(self, seed: int, count: int, now: float) -> None:
        self._seed = seed
        self._count = count
        self._now = now
        given = len(words.GIVEN)
        self._people = words.Combinations(seed, given, given, len(words.FAMILY))

    def rows(self) -> Iterator[Data]:
        """The records."""
        return (self._row(number) for number in range(1, self._count + 1))

    def _row(self, number: int) -> Data:
        random = Random(f"{self._seed} employee {number}")
        (first, second, family), _ = self._people.draw(number)
        names = (words.GIVEN[first], words.GIVEN[second], words.FAMILY[family])
        name, active = " ".join(names), number <= PLAIN or random.random() > 0.2
        data: Data = {
            **dict(zip(("GivenName", "MiddleName", "FamilyName"), names, strict=True)),
            "DisplayName": name if active else name + DELETED_SUFFIX,
            "PrintOnCheckName": name,
            "Active": active,
            "BillableTime": random.random() < 0.3,
            "SSN": "XXX-XX-XXXX",
            "PrimaryAddr": _address(400_000 + number, DOLLAR, random),
        }
        if random.random() < 0.8:
            data["PrimaryPhone"] = _phone(random)
        if random.random() < 0.5:
            data["PrimaryEmailAddr"] = {"Address": f"{'.'.join(map(slug, names))}@example.com"}
        hired = pacific(self._now - random.uniform(100, 1900) * DAY)[:10]
        return data | {"HiredDate": hired} | _known_since(number, self._now, random)


def _phone(random: Random) -> Data:
    area = random.choice(words.CITIES)[5]
    return {"FreeFormNumber": f"({area}) 555-{random.randint(100, 199):04}"}


def _address(id: int, currency: Currency, random: Random) -> Data:
    city, state, area, latitude, longitude, _ = random.choice(currency.cities or words.CITIES)
    where = {
        "Id": str(id),
        "Line1": f"{random.randint(1, 4999)} {random.choice(words.STREETS)}",
        "City": city,
        "CountrySubDivisionCode": state,
        "PostalCode": f"{area}{random.randint(1, 99):02}",
        "Lat": latitude,
        "Long": longitude,
    }
    return where if currency is DOLLAR else {**where, "Country": currency.country}


def _known_since(number: int, now: float, random: Random) -> Data:
    created = now - random.uniform(20, 1900) * DAY
    versions = random.choice((0, 0, 1, 2))
    updated = random.uniform(created, now - 3 * DAY) if versions else created
    return identity(str(number), versions, created, updated)
