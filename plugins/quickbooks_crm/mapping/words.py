"""Every word a settings file may use: the one list behind all messages.

`*` stands for a name that is free: a column, a path, the number of an item.
"""

from dataclasses import dataclass

Pattern = tuple[str, ...]
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Word:
    """A word, and how it is written."""

    place: str
    example: str

    @property
    def pattern(self) -> Pattern:
        return tuple(self.place.split("."))


# What the hook can read. A CRM's accounts are Customers; QuickBooks' own Accounts are a ledger's.
ENTITIES = [
    "Bill",
    "Class",
    "CreditMemo",
    "Customer",
    "CustomerType",
    "Department",
    "Employee",
    "Estimate",
    "Invoice",
    "Item",
    "Payment",
    "PaymentMethod",
    "PurchaseOrder",
    "RefundReceipt",
    "SalesReceipt",
    "TaxCode",
    "Term",
    "Vendor",
]


class Vocabulary:
    """The words of one kind of file."""

    def __init__(self, *words: Word) -> None:
        self.words = words

    def at(self, place: Place) -> Word | None:
        """The word at a place, whatever column, path or item it is said of."""
        return next((word for word in self.words if _fits(word.pattern, place)), None)

    def below(self, place: Place) -> list[str]:
        """The words that may be written at a place."""
        return [word.pattern[-1] for word in self.words if _fits(word.pattern[:-1], place)]


def _fits(pattern: Pattern, place: Place) -> bool:
    return len(pattern) == len(place) and all(
        part in ("*", written) for part, written in zip(pattern, place, strict=True)
    )


MAPPING = Vocabulary(
    Word("entities", "entities: [Item]"),
    Word("table", "table: crm.products"),
    Word("company", "company: company_id"),
    Word("exclude", "exclude: [{where: {Type: Category}, because: a category is not a product}]"),
    Word("exclude.*.where", "where: {Type: Category}"),
    Word("exclude.*.because", "because: a category is not a product"),
    Word("exclude.*.where.*.equals", "Type: {equals: Category}"),
    Word("exclude.*.where.*.not", "Type: {not: Service}"),
    Word("exclude.*.where.*.above", "Balance: {above: 100}"),
    Word("exclude.*.where.*.below", "Balance: {below: 100}"),
    Word("exclude.*.where.*.blank", "Sku: {blank: true}"),
    Word("import", "import: {mode: merge, key: quickbooks_product_id}"),
    Word("import.mode", "mode: merge"),
    Word("import.key", "key: quickbooks_product_id"),
    Word("import.within", "within: kind"),
    Word("import.check", "check: [name]"),
    Word("import.blank_overwrites", "blank_overwrites: true"),
    Word("import.separator", "separator: '|'"),
    Word("import.unknown_keywords", "unknown_keywords: insert"),
    Word("import.unknown_owner", "unknown_owner: default_owner"),
    Word("import.default_owner", "default_owner: U-100"),
    Word("import.child_accounts", "child_accounts: roll_up"),
    Word("fields", "fields: {name: {from: Name}}"),
    Word("fields.*.from", "from: Name"),
    Word("fields.*.from.join", "join: [GivenName, FamilyName]"),
    Word("fields.*.from.with", "with: ' '"),
    Word("fields.*.from.*.join", "join: [GivenName, FamilyName]"),
    Word("fields.*.from.*.with", "with: ' '"),
    Word("fields.*.value", "value: Customer"),
    Word("fields.*.default", "default: true"),
    Word("fields.*.required", "required: true"),
    Word("fields.*.kind", "kind: email"),
    Word("fields.*.refers", "refers: accounts"),
    Word("fields.*.refers.module", "refers: {module: accounts, entity: Customer}"),
    Word("fields.*.refers.entity", "refers: {module: accounts, entity: Customer}"),
    Word("fields.*.blank_overwrites", "blank_overwrites: true"),
    Word("fields.*.edits", "edits: crm"),
    Word("fields.*.keywords", "keywords: insert"),
    Word("fields.*.owner", "owner: true"),
    Word("fields.*.owner.same_as", "owner: {same_as: account_id}"),
    Word("fields.*.owner.users", "owner: {users: public.staff}"),
    Word("fields.*.owner.external_id", "owner: {external_id: quickbooks_code}"),
    Word("fields.*.owner.active", "owner: {active: employed}"),
    Word("fields.*.lookup", "lookup: {entity: Term, show: Name}"),
    Word("fields.*.lookup.entity", "lookup: {entity: Term, show: Name}"),
    Word("fields.*.lookup.show", "lookup: {entity: Term, show: Name}"),
    Word("fields.*.for_entity", "for_entity: {CreditMemo: {value: credit, negate: true}}"),
    Word("fields.*.for_entity.*.from", "from: RemainingCredit"),
    Word("fields.*.for_entity.*.value", "value: credit memo"),
    Word("fields.*.for_entity.*.default", "default: 0"),
    Word("fields.*.for_entity.*.negate", "negate: true"),
    Word("fields.*.negate", "negate: true"),
    Word("when_inactive", "when_inactive: {active: false}"),
    Word("when_deleted", "when_deleted: {deleted: true, active: false}"),
    Word("when_merged", "when_merged: {merged: true}"),
    Word("by_name", "by_name: true"),
    Word(
        "lines",
        "lines: {from: Line, table: crm.invoice_lines, parent: invoice_id, position: position, "
        "fields: {amount: {from: Amount}}}",
    ),
    Word("lines.from", "from: Line"),
    Word("lines.table", "table: crm.invoice_lines"),
    Word("lines.parent", "parent: invoice_id"),
    Word("lines.position", "position: position"),
    Word("lines.company", "company: company_id"),
    Word(
        "lines.exclude",
        "exclude: [{where: {DetailType: SubTotalLineDetail}, because: it sells nothing}]",
    ),
    Word("lines.exclude.*.where", "where: {DetailType: SubTotalLineDetail}"),
    Word("lines.exclude.*.because", "because: a subtotal sells nothing"),
    Word("lines.fields", "fields: {amount: {from: Amount}}"),
    Word("lines.fields.*.from", "from: Amount"),
    Word("lines.fields.*.value", "value: line"),
    Word("lines.fields.*.default", "default: 1"),
    Word("lines.fields.*.required", "required: true"),
    Word("lines.fields.*.refers", "refers: products"),
    Word("lines.fields.*.keywords", "keywords: insert"),
    Word("lines.fields.*.lookup", "lookup: {entity: Class, show: Name}"),
    Word("lines.fields.*.lookup.entity", "lookup: {entity: Class, show: Name}"),
    Word("lines.fields.*.lookup.show", "lookup: {entity: Class, show: Name}"),
    Word("lines.fields.*.from.join", "join: [Description, DetailType]"),
    Word("lines.fields.*.from.with", "with: ' '"),
    Word("lines.fields.*.from.*.join", "join: [Description, DetailType]"),
    Word("lines.fields.*.from.*.with", "with: ' '"),
    Word("lines.fields.*.negate", "negate: {DetailType: DiscountLineDetail}"),
    Word("lines.fields.*.for_entity", "for_entity: {CreditMemo: {negate: true}}"),
    Word("lines.fields.*.for_entity.*.from", "from: Amount"),
    Word("lines.fields.*.for_entity.*.value", "value: line"),
    Word("lines.fields.*.for_entity.*.default", "default: 1"),
    Word("lines.fields.*.for_entity.*.negate", "negate: true"),
)

COMPANY = Vocabulary(
    Word("name", "name: Sample company"),
    Word("quickbooks", "quickbooks: quickbooks_sample"),
    Word("schedule", "schedule: '7 * * * *'"),
    Word("reconcile", "reconcile: '41 2 * * 0'"),
    Word("modules", "modules: [products, accounts, contacts]"),
    Word("crm_company", "crm_company: sample"),
    Word("retention", "retention: {images: 90 days}"),
    Word("retention.unchanged", "unchanged: 30 days"),
    Word("retention.images", "images: 90 days"),
    Word("retention.outcomes", "outcomes: 400 days"),
    Word("retention.calls", "calls: 400 days"),
    Word("breakers", "breakers: {mass_delete: {percent: 10}}"),
    Word("breakers.mass_delete", "mass_delete: {percent: 5, at_least: 20, always_above: 500}"),
    Word("breakers.mass_change", "mass_change: {percent: 50, at_least: 100}"),
    Word("breakers.mass_clear", "mass_clear: {percent: 90, at_least: 20}"),
    Word("breakers.too_many_rejects", "too_many_rejects: {percent: 10, at_least: 50}"),
    Word("breakers.*.percent", "percent: 10"),
    Word("breakers.*.at_least", "at_least: 20"),
    Word("breakers.mass_delete.always_above", "always_above: 500"),
    Word("mappings", "mappings: {accounts: sample/accounts.yaml}"),
    Word("default_owner", "default_owner: U-100"),
    Word("notify", "notify: {notifier: package.module.SomeNotifier, arguments: {text: hello}}"),
    Word(
        "notify.notifier",
        "notifier: airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    ),
    Word("notify.arguments", "arguments: {to: [it@example.com]}"),
    Word("child_accounts", "child_accounts: roll_up"),
    Word("start_date", "start_date: 2024-01-01"),
)
