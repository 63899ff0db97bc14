"""A few QuickBooks records through the real stages, from the mirror to the CRM, in one line.

    assert sync(connection, products(), item("7")) == [End("7", "added")]

Called as the pipeline calls them; what is not given is plausible.
"""

from collections.abc import Collection
from collections.abc import Mapping as ReadOnly
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection, sql

from quickbooks_crm import catalog, one_module, runs, stage, stand_ins
from quickbooks_crm.breakers import Threshold, Thresholds
from quickbooks_crm.companies import Company
from quickbooks_crm.dedupe import Target
from quickbooks_crm.load import Load, load
from quickbooks_crm.mapping import Mapping, load_order, parse_all, references, with_children
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.runs import Run
from quickbooks_crm.stage import Window
from quickbooks_crm.transform import columns

REALM = "9341452000000001"
NEVER = Thresholds(*[Threshold(percent=100, at_least=1)] * 4)
_JSON = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class Record:
    """What QuickBooks sent of one record."""

    entity: str
    id: str
    payload: ReadOnly[str, Any]
    deleted: bool = False


class End(NamedTuple):
    """How a record ended."""

    id: str
    outcome: str
    reason: str | None = None


def item(id: str, **fields: Any) -> Record:
    """A QuickBooks item."""
    return Record("Item", id, {"Id": id, "Name": f"Item {id}", "Active": True} | fields)


def customer(id: str, **fields: Any) -> Record:
    """A QuickBooks customer."""
    return Record("Customer", id, {"Id": id, "DisplayName": f"Customer {id}"} | fields)


def under(parent: str, id: str) -> Record:
    """A QuickBooks customer that is part of another."""
    return customer(id, ParentRef={"value": parent})


def gone(record: Record) -> Record:
    """The same record, deleted in QuickBooks."""
    return replace(record, deleted=True)


def mapping(table: str, fields: str = "", entities: str = "[Item]", **words: str) -> str:
    """The text of a mapping of Id and Name, and what is added, to a table."""
    columns = f"quickbooks_id: {{from: Id}}, name: {{from: Name}}{fields and ', ' + fields}"
    lines = {"entities": entities, "table": table, "import": "{key: quickbooks_id}"}
    lines |= {"fields": f"{{{columns}}}"} | words
    return "".join(f"{word}: {written}\n" for word, written in lines.items())


def products(
    settings: str = "{key: quickbooks_product_id, check: [name]}", fields: str = "", **words: str
) -> dict[str, Mapping]:
    """A mapping of Item to the reference CRM's products, small enough to read."""
    columns = (
        "quickbooks_product_id: {from: Id}, name: {from: Name}, code: {from: Sku}, "
        "price: {from: UnitPrice}, active: {from: Active, default: true}, deleted: {value: false}"
    )
    lines = {"entities": "[Item]", "table": "crm.products", "company": "company_id"}
    lines |= {"import": settings, "fields": f"{{{columns}{fields and ', ' + fields}}}"}
    lines |= {"when_deleted": "{deleted: true, active: false}"} | words
    return parse_all({"products": "".join(f"{word}: {said}\n" for word, said in lines.items())})


def accounts(fields: str = "") -> str:
    """The text of a mapping of Customer to accounts that point to their parents."""
    columns = (
        "quickbooks_customer_id: {from: Id}, name: {from: DisplayName}, "
        "parent_id: {from: ParentRef.value, refers: accounts}"
    )
    return (
        "entities: [Customer]\ntable: crm.accounts\ncompany: company_id\n"
        "import: {key: quickbooks_customer_id, check: [name]}\n"
        f"fields: {{{columns}{fields and ', ' + fields}}}\n"
    )


CONTACTS = """\
entities: [Customer]
table: crm.contacts
company: company_id
exclude: [{where: {FamilyName: {blank: true}}, because: nobody is named}]
import: {key: quickbooks_customer_id, check: [last_name, account_id]}
fields:
  quickbooks_customer_id: {from: Id}
  last_name:              {from: FamilyName}
  account_id:             {from: Id, refers: accounts}
"""


def sync(
    connection: Connection[Any],
    known: ReadOnly[str, Mapping],
    *records: Record,
    run_id: str | None = None,
    realm: str = REALM,
    company: str = "sample",
    breakers: Thresholds = NEVER,
    modules: Collection[str] = (),
    **settings: str,
) -> list[End]:
    """Bring records into the mirror, and every module with work up to date, or of these modules;
    how each record ended, in load order."""
    ready(connection, company)
    run = Run(company, realm, run_id or f"run-{count(connection, 'sync.run') + 1}")
    mirror(connection, run, *records)
    asked = [module for module in load_order(known) if module in (modules or known)]
    runs.settle(connection, run, known.values(), asked, dict(settings))
    known = with_children(known, settings.get("child_accounts", "child_account"))
    stand_ins.refresh(connection, runs.attempt(connection, run, "extract"), known)
    connection.execute("UPDATE sync.lease SET run_id = NULL")
    with catalog.once(connection, known.values()):
        work = with_work(connection, run, known, asked)
        for module in work:
            stage_rows(connection, run, known[module])
        for module in work:
            load_rows(connection, run, known, module, breakers)
    return [end for module in work for end in ends(connection, run, module)]


def ready(connection: Connection[Any], company: str = "sample") -> None:
    """Commit what a test has prepared; from now on every statement commits by itself, as in a
    run."""
    connection.execute(
        "INSERT INTO crm.companies (id, name) VALUES (%s, 'A company') ON CONFLICT DO NOTHING",
        [company],
    )
    if not connection.autocommit:
        connection.commit()
        connection.autocommit = True


def mirror(connection: Connection[Any], run: Run, *records: Record) -> None:
    """A sealed generation with these records."""
    runs.start(connection, run, "manual", "admin")
    with connection.transaction():
        generation = one(connection, GENERATION, [run.realm, run.run_id])
        for record in records:
            payload = _JSON.encode(record.payload).decode()
            values = [run.realm, record.entity, record.id, record.deleted, generation, payload]
            connection.execute(MIRROR, values)


def with_work(
    connection: Connection[Any],
    run: Run,
    known: ReadOnly[str, Mapping],
    modules: Collection[str] = (),
) -> list[str]:
    """What extract does at its end: settle what is read again, and which of these modules, or all,
    are loaded."""
    asked = modules or load_order(known)
    company = Company(run.company, run.company, "quickbooks", None, None, run.company)
    return one_module.with_work(connection, Bringing(run, company, dict(known)), asked)


def stage_rows(connection: Connection[Any], run: Run, known: Mapping) -> None:
    """What a module's transform task does."""
    position = runs.position(connection, run.realm, known.module)
    window = Window(position, runs.sealed(connection, run.realm))
    with connection.transaction():
        stage.clear(connection, run, known)
        one_module.stage_rows(connection, run, known, window)


def load_rows(
    connection: Connection[Any],
    run: Run,
    known: ReadOnly[str, Mapping],
    module: str,
    breakers: Thresholds = NEVER,
) -> dict[str, int]:
    """What a module's load task does; the counts."""
    targets = {name: _target(connection, run, known[name]) for name in known}
    position = runs.position(connection, run.realm, module)
    referring = [target for target in targets.values() if _refers(target.mapping, module)]
    with connection.transaction():
        generation = stage.sealed(connection, run, known[module], targets[module].table) or 0
        sharing = tuple(n for n in known if known[n].table == known[module].table)
        referred = tuple(t for n, t in targets.items() if _refers(known[module], n))
        work = Load(run, targets[module], position, generation, sharing, referred, breakers)
        return load(connection, work, referring)


def ends(connection: Connection[Any], run: Run, module: str) -> list[End]:
    """How each record of a run and module ended, by QuickBooks id."""
    found = connection.execute(ENDS, [run.realm, run.run_id, module]).fetchall()
    return [End(*row) for row in found]


def outcome(connection: Connection[Any], id: str, *names: str) -> tuple[Any, ...]:
    """These columns of the newest outcome of a record."""
    query = sql.SQL(OUTCOME).format(sql.SQL(", ").join(map(sql.Identifier, names)))
    found = connection.execute(query, [id]).fetchone()
    assert found is not None
    return tuple(found)


def counts(connection: Connection[Any], module: str = "products") -> dict[str, int]:
    """The counts of a module's newest load that are not nought."""
    cursor = connection.execute(COUNTS, [module])
    names = [column.name for column in cursor.description or ()]
    found = cursor.fetchone()
    assert found is not None
    return {name: count for name, count in zip(names, found, strict=True) if count}


def by_hand(connection: Connection[Any], table: str, **values: Any) -> int:
    """A record that a person has made in the CRM; its id."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
    )
    return int(one(connection, statement, list(values.values())))


def code(connection: Connection[Any]) -> str | None:
    """The code of the CRM's only product."""
    found: str | None = one(connection, "SELECT code FROM crm.products")
    return found


def set_code(connection: Connection[Any], code: str | None) -> None:
    """Let a person write the code of every product."""
    connection.execute("UPDATE crm.products SET code = %s", [code])


def in_capitals(connection: Connection[Any], table: str, column: str) -> None:
    """From now on the table writes this column in capitals, whatever it is given."""
    connection.execute(
        "CREATE FUNCTION crm.capitals() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN NEW.{column} := upper(NEW.{column}); RETURN NEW; END $$;"
        f"CREATE TRIGGER capitals BEFORE INSERT OR UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION crm.capitals()".encode()
    )


def rows(connection: Connection[Any], query: str) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    return connection.execute(query.encode()).fetchall()


def one(connection: Connection[Any], query: Any, values: list[Any] | None = None) -> Any:
    """The only value of the only row of a query."""
    found = connection.execute(query, values).fetchone()
    assert found is not None
    return found[0]


def count(connection: Connection[Any], table: str) -> int:
    """How many rows a table has."""
    name = sql.Identifier(*table.split("."))
    return int(one(connection, sql.SQL("SELECT count(*) FROM {}").format(name)))


def _target(connection: Connection[Any], run: Run, known: Mapping) -> Target:
    table = catalog.of(connection, known)
    return Target(known, table, run.company, tuple(columns(known)))


def _refers(known: Mapping, module: str) -> bool:
    return any(field.refers and field.refers.module == module for field in references(known))


GENERATION = """
    INSERT INTO sync.generation (realm, run_id, sealed_at) VALUES (%s, %s, now())
    RETURNING generation"""
MIRROR = """
    INSERT INTO quickbooks.record (realm, entity, id, sync_token, deleted, generation, payload)
    VALUES (%s, %s, %s, 0, %s, %s, %s)
    ON CONFLICT (realm, entity, id) DO UPDATE
       SET (deleted, generation, payload)
         = ROW (excluded.deleted, excluded.generation, excluded.payload)"""
SETTINGS = "UPDATE sync.run SET settings = %s WHERE (realm, run_id) = (%s, %s)"
ENDS = """
    SELECT id, outcome, reason FROM sync.outcome WHERE (realm, run_id, module) = (%s, %s, %s)
     ORDER BY CASE WHEN id ~ '^[0-9]+$' THEN id::numeric END, id, entity"""
OUTCOME = """
    SELECT {} FROM sync.outcome JOIN sync.run USING (realm, run_id)
     WHERE id = %s ORDER BY started_at DESC LIMIT 1"""
COUNTS = """
    SELECT read, added, updated, unchanged, duplicate, not_added, excluded, deactivated, deleted,
           resolved
      FROM sync.activity WHERE module = %s ORDER BY to_generation DESC LIMIT 1"""
