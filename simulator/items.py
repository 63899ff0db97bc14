"""Sample items: services, goods with and without stock, categories, and bundles."""

from decimal import Decimal
from random import Random

from simulator import words
from simulator.basics import ASSET, EXPENSE, identity, item_basics, plain
from simulator.clock import DAY, pacific
from simulator.company import DELETED_SUFFIX
from simulator.rows import Data

PLAIN = 8
"""So many first rows are active goods or services of their own."""


class Items:
    """The items of a seed: rows 1 to `count`."""

    def __init__(self, seed: int, count: int, now: float) -> None:
        self._seed = seed
        self._now = now
        enough = count >= 20
        self._categories = (
            range(PLAIN + 1, PLAIN + 1 + min(count // 12, 60)) if enough else range(0)
        )
        self._bundles = range(count + 1 - count // 20, count + 1) if enough else range(0)
        self._goods = words.Combinations(seed, len(words.MATERIALS), len(words.GOODS))
        self._services = words.Combinations(seed, len(words.FREQUENCIES), len(words.SERVICES))
        self.rows = [self._row(number) for number in range(1, count + 1)]

    @property
    def sold(self) -> list[Data]:
        """What may be on an invoice."""
        return [row for row in self.rows if row["Active"] and "UnitPrice" in row]

    def _row(self, number: int) -> Data:
        random = Random(f"{self._seed} item {number}")
        if number in self._categories:
            data = self._category(number)
        elif number in self._bundles:
            data = self._bundle(number, random)
        else:
            data = self._product(number, random)
            if number > PLAIN and self._categories and random.random() < 0.7:
                data |= self._below(random.choice(self._categories), data["Name"])
        active = number <= PLAIN or number in self._categories or random.random() > 0.07
        return data | self._identity(number, data, active, random)

    def _category(self, number: int) -> Data:
        place = number - self._categories.start
        round, word = divmod(place, len(words.CATEGORIES))
        name = words.CATEGORIES[word] + (f" {round + 1}" if round else "")
        data = item_basics(name, "Category")
        if place >= 4 and place % 4 == 0:
            data |= self._below(self._categories.start + place % 3, name)
        return data

    def _below(self, category: int, name: str) -> Data:
        above = self._category(category)
        full = above["FullyQualifiedName"]
        return {
            "SubItem": True,
            "ParentRef": {"value": str(category), "name": full},
            "Level": above.get("Level", 0) + 1,
            "FullyQualifiedName": f"{full}:{name}",
        }

    def _bundle(self, number: int, random: Random) -> Data:
        data = item_basics(f"{self._good(number)} Set", "Group")
        parts = random.sample(range(1, PLAIN + 1), 3)
        data["Description"] = "Bought together at one price"
        data["ItemGroupDetail"] = {
            "ItemGroupLine": [
                {
                    "Qty": random.randint(1, 4),
                    "ItemRef": {"value": str(part), "name": self._name(part)},
                }
                for part in parts
            ]
        }
        return data

    def _kind(self, number: int) -> str:
        return Random(f"{self._seed} item kind {number}").choice(
            ("Service", "Service", "Inventory", "Inventory", "NonInventory")
        )

    def _name(self, number: int) -> str:
        return self._service(number) if self._kind(number) == "Service" else self._good(number)

    def _good(self, number: int) -> str:
        (material, good), round = self._goods.draw(number)
        name = f"{words.MATERIALS[material]} {words.GOODS[good]}"
        return f"{name} No. {round + 1}" if round else name

    def _service(self, number: int) -> str:
        (frequency, service), round = self._services.draw(number)
        name = f"{words.FREQUENCIES[frequency]} {words.SERVICES[service]}"
        return f"{name} No. {round + 1}" if round else name

    def _product(self, number: int, random: Random) -> Data:
        kind, name = self._kind(number), self._name(number)
        data = item_basics(name, kind)
        price = Decimal(random.randint(8, 1600)) / 4
        data["UnitPrice"] = plain(price) if random.random() < 0.9 else 0
        if random.random() < 0.85:
            data["Description"] = f"{name} for house and garden"
        if kind == "Service":
            return data
        data["Sku"] = f"{name[:2].upper()}-{1000 + number}"
        data["PurchaseCost"] = plain((price * Decimal("0.6")).quantize(Decimal("0.01")))
        data["ExpenseAccountRef"] = EXPENSE
        if random.random() < 0.8:
            data["PurchaseDesc"] = name
        return data | self._stock(random) if kind == "Inventory" else data

    def _stock(self, random: Random) -> Data:
        started = pacific(self._now - random.randint(100, 1500) * DAY)[:10]
        quantity = random.choice((0, 2, 10, 25, 31, -3))
        return {"AssetAccountRef": ASSET, "QtyOnHand": quantity, "InvStartDate": started}

    def _identity(self, number: int, data: Data, active: bool, random: Random) -> Data:
        created = int(self._now - random.uniform(20, 1900) * DAY)
        versions = random.choice((0, 0, 1, 2, 3)) or int(not active)
        updated = random.randint(created, int(self._now - 3 * DAY)) if versions else created
        mark = "" if active else DELETED_SUFFIX
        return {
            "Name": data["Name"] + mark,
            "FullyQualifiedName": data["FullyQualifiedName"] + mark,
            "Active": active,
            **identity(str(number), versions, created, updated),
        }
