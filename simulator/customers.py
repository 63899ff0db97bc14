"""Sample customers: businesses, persons and jobs, each the same in a company of any size."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from random import Random
from typing import Any

from simulator import currencies, words
from simulator.basics import TAX_CODE, TERMS, customer_basics, identity, money, slug
from simulator.clock import DAY
from simulator.company import DELETED_SUFFIX
from simulator.currencies import DOLLAR, Currency
from simulator.lists import CUSTOMER_TYPES, PAYMENT_METHODS
from simulator.rows import Data

PLAIN = 8
"""So many first rows are active and have no parent, for tests to hold on to."""
_DEEPEST = 3
_NEAR = 2000
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What others need to know of a customer before its row is written."""

    number: int
    name: str
    full_name: str
    level: int
    parent: int | None
    active: bool
    business: str | None
    person: tuple[str, str | None, str] | None
    email: str | None
    city: tuple[str, ...]
    street: str
    postal_code: str
    taxable: bool
    currency: Currency


class Customers:
    """The customers of a seed; `sketch(7)` and `row(7, …)` are customer 7."""

    def __init__(self, seed: int, now: float) -> None:
        self._seed = seed
        self._now = now
        self._people = words.Combinations(seed, len(words.GIVEN), len(words.FAMILY))
        self._businesses = words.Combinations(
            seed, len(words.FAMILY), len(words.TRADES), len(words.BUSINESS_FORMS)
        )
        self._sites = words.Combinations(seed, len(words.STREETS), 900, len(words.PROJECTS) + 1)
        self.sketch = lru_cache(50_000)(self._sketch)

    def _random(self, number: int, what: str) -> Random:
        return Random(f"{self._seed} {what} {number}")

    def _sketch(self, number: int) -> Sketch:
        random = self._random(number, "customer")
        parent = self._parent(number, random)
        kind = random.random()
        person = self._person(number) if kind < 0.72 and (not parent or kind < 0.2) else None
        business = self._business(number) if not parent and (person is None or kind < 0.4) else None
        site = self._site(number) if parent else None
        name = site or business or _shown(person, random)
        active = number <= PLAIN or random.random() > 0.08
        shown = name if active else name + DELETED_SUFFIX
        has_email = (person or business) and random.random() < 0.8
        sketch = Sketch(
            number=number,
            name=shown,
            full_name=f"{parent.full_name}:{shown}" if parent else shown,
            level=parent.level + 1 if parent else 0,
            parent=parent.number if parent else None,
            active=active,
            business=business,
            person=person,
            email=_email(person, business, random) if has_email else None,
            city=random.choice(words.CITIES),
            street=f"{random.randint(1, 4999)} {random.choice(words.STREETS)}",
            postal_code=f"{random.randint(1, 99):02}",
            taxable=random.random() < 0.6,
            currency=DOLLAR,
        )
        return _abroad(sketch, _currency(number, parent, random), random)

    def _parent(self, number: int, random: Random) -> Sketch | None:
        """An earlier, active customer for about one in seven."""
        if number <= PLAIN or random.random() > 0.14:
            return None
        for _ in range(4):
            found = self.sketch(random.randint(max(1, number - _NEAR), number - 1))
            if found.active and found.level < _DEEPEST:
                return found
        return None

    def _person(self, number: int) -> tuple[str, str | None, str]:
        (given, family), round = self._people.draw(number)
        middle = f"{chr(ord('A') + (round - 1) % 26)}." * ((round + 25) // 26) if round else None
        return words.GIVEN[given], middle, words.FAMILY[family]

    def _business(self, number: int) -> str:
        (family, trade, form), round = self._businesses.draw(number)
        name = words.BUSINESS_FORMS[form].format(
            family=words.FAMILY[family], trade=words.TRADES[trade]
        )
        return f"{name} No. {round + 1}" if round else name

    def _site(self, number: int) -> str:
        (street, house, project), round = self._sites.draw(number)
        where = f"{100 + house} {words.STREETS[street]}"
        name = f"{words.PROJECTS[project]}, {where}" if project < len(words.PROJECTS) else where
        return f"{name} No. {round + 1}" if round else name

    def row(
        self, number: int, own: Mapping[int, Decimal], with_jobs: Mapping[int, Decimal]
    ) -> Data:
        """The record, with what the customer owes alone and together with its jobs."""
        sketch, random = self.sketch(number), self._random(number, "customer row")
        data = customer_basics(sketch.name)
        data["Taxable"] = sketch.taxable
        data["Balance"] = money(own.get(number, _NOTHING))
        data["BalanceWithJobs"] = money(with_jobs.get(number, _NOTHING))
        data |= _above(sketch, random) | self._identity(sketch, random)
        data |= _names(sketch, random) | _reached(sketch, random) | _placed(sketch, random)
        data |= _rarely(random)
        return data

    def _identity(self, sketch: Sketch, random: Random) -> Data:
        created = int(self._now - random.uniform(20, 1900) * DAY)
        versions = random.choice((0, 0, 0, 1, 1, 2, 3, 7)) or int(not sketch.active)
        latest = int(self._now - 3 * DAY)
        updated = random.randint(created, latest) if versions else created
        return {
            **identity(str(sketch.number), versions, created, updated),
            "FullyQualifiedName": sketch.full_name,
            "PrintOnCheckName": sketch.name.removesuffix(DELETED_SUFFIX),
            "Active": sketch.active,
            "CurrencyRef": sketch.currency.reference,
        }


def _currency(number: int, parent: Sketch | None, random: Random) -> Currency:
    """A job is billed in its parent's currency."""
    if number <= PLAIN:
        return DOLLAR
    return parent.currency if parent else currencies.drawn(random)


def _abroad(sketch: Sketch, currency: Currency, random: Random) -> Sketch:
    """The customer as it is: one who pays in another currency lives where that is used."""
    if currency is DOLLAR:
        return sketch
    return replace(sketch, currency=currency, city=random.choice(currency.cities), taxable=False)


def _shown(person: tuple[str, str | None, str] | None, random: Random) -> str:
    given, middle, family = person or ("", None, "")
    first = f"{given} {middle}" if middle else given
    return f"{family}, {first}" if random.random() < 0.15 else f"{first} {family}"


def _email(person: tuple[str, str | None, str] | None, business: str | None, random: Random) -> str:
    domain = f"{slug(business)}.example.com" if business else "example.com"
    name = ".".join(slug(part) for part in person if part) if person else "info"
    second = f", office@{domain}" if business and random.random() < 0.02 else ""
    return f"{name}@{domain}{second}"


def _above(sketch: Sketch, random: Random) -> Data:
    if sketch.parent is None:
        return {}
    below = {"Job": True, "ParentRef": {"value": str(sketch.parent)}, "Level": sketch.level}
    return {**below, "BillWithParent": random.random() < 0.5}


def _names(sketch: Sketch, random: Random) -> Data:
    data: Data = {"CompanyName": sketch.business} if sketch.business else {}
    if sketch.person:
        given, middle, family = sketch.person
        data |= {"GivenName": given, "FamilyName": family}
        if middle:
            data["MiddleName"] = middle
        if random.random() < 0.03:
            data["Title"] = random.choice(("Dr.", "Mr.", "Ms."))
    return data


def _reached(sketch: Sketch, random: Random) -> Data:
    def number() -> dict[str, str]:
        return {"FreeFormNumber": f"({sketch.city[5]}) 555-{random.randint(100, 199):04}"}

    data: Data = {"PrimaryEmailAddr": {"Address": sketch.email}} if sketch.email else {}
    if sketch.email:
        data["PreferredDeliveryMethod"] = random.choice(("Email", "Print", "Print"))
    for field, rate in (
        ("PrimaryPhone", 0.73),
        ("Mobile", 0.1),
        ("Fax", 0.07),
        ("AlternatePhone", 0.03),
    ):
        if random.random() < rate:
            data[field] = number()
    if sketch.business and random.random() < 0.3:
        data["WebAddr"] = {"URI": f"http://www.{slug(sketch.business)}.example.com"}
    return data


def address(sketch: Sketch) -> dict[str, Any]:
    """Where a customer is, without the address' own id."""
    city, state, area, latitude, longitude, _ = sketch.city
    return {
        "Line1": sketch.street,
        "City": city,
        "CountrySubDivisionCode": state,
        "PostalCode": area + sketch.postal_code,
        "Lat": latitude,
        "Long": longitude,
    }


def _placed(sketch: Sketch, random: Random) -> Data:
    """Addresses as they come: whole, only an id, or none."""
    id, chance = str(2 * sketch.number), random.random()
    if chance > 0.95:
        return {}
    if chance > 0.7:
        return {"BillAddr": {"Id": id}, "ShipAddr": {"Id": id}}
    bill = {"Id": id, **address(sketch)}
    if random.random() < 0.04 or sketch.currency is not DOLLAR:
        bill["Country"] = sketch.currency.country
    return {"BillAddr": bill, "ShipAddr": bill} if random.random() < 0.8 else {"BillAddr": bill}


def _rarely(random: Random) -> Data:
    data: Data = {}
    if random.random() < 0.3:
        term = random.choice(list(TERMS))
        data["SalesTermRef"] = {"value": term, "name": TERMS[term][0]}
    if random.random() < 0.08:
        data["Notes"] = random.choice(words.NOTES)
    if random.random() < 0.2:
        type = random.choice(list(CUSTOMER_TYPES))
        data["CustomerTypeRef"] = {"value": type, "name": CUSTOMER_TYPES[type]}
    if random.random() < 0.1:
        method = random.choice(list(PAYMENT_METHODS))
        data["PaymentMethodRef"] = {"value": method, "name": PAYMENT_METHODS[method]}
    if random.random() < 0.03:
        data["DefaultTaxCodeRef"] = {"value": TAX_CODE}
    return data
