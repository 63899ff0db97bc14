"""What is wrong with a mapping file, and how its author is told."""

from textwrap import dedent

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quickbooks_crm.errors import MappingError
from quickbooks_crm.mapping.words import MAPPING
from tests.unit.mapping_texts import mapping, read


def problems(text: str) -> list[str]:
    with pytest.raises(MappingError) as error:
        read(text)
    return [line.strip() for line in str(error.value).splitlines()[1:-1]]


def test_all_problems_are_listed_in_the_order_of_the_file() -> None:
    text = dedent("""\
        # QuickBooks Item -> CRM products.
        entities: [Item]
        table: crm.products

        exclude:
          - {where: {Type: Category}, because: a category is not a product}
        import:
          mode: marge
          key: quickbooks_product_id
        fields:
          name:  {from: Name, requird: true}
          quickbooks_product_id: {from: Id}
          price: {form: UnitPrice}
        """)

    with pytest.raises(MappingError) as error:
        read(text)

    assert str(error.value) == dedent("""\
        products.yaml is not a valid mapping (3 problems)
          line 8: import.mode cannot be: 'marge'. Did you mean 'merge'?
          line 11: fields.name.requird is not a key here: 'requird'. Did you mean 'required'?
          line 13: fields.price.form is not a key here: 'form'. Did you mean 'from'?
        Check again with: make mappings (a CRM of your own: python -m quickbooks_crm check)""")


WRONG = {
    "entities: Item": (
        mapping(entities="Item"),
        "line 1: entities must be a list: 'Item'. Write [Item].",
    ),
    "an unknown entity": (
        mapping(entities="[Items]"),
        "line 1: entities.1 cannot be: 'Items'. Did you mean 'Item'?",
    ),
    "an entity twice": (
        mapping(entities="[Item, Item]"),
        "line 1: entities.2 is there already: 'Item'. Remove it.",
    ),
    "no table": (
        mapping(table=""),
        "line 1: table is missing. Write, for example, table: crm.products.",
    ),
    "a table without schema": (
        mapping(table="products"),
        "line 2: table cannot be: 'products'. Write schema.table, such as crm.products.",
    ),
    "a table of the sync's own": (
        mapping(table="sync.link"),
        "line 2: table cannot be in the schema 'sync': it is not the CRM's. "
        "Write a table of the CRM.",
    ),
    "a name that Postgres would cut off": (
        mapping("ä" * 32 + ": {from: A}"),
        f"line 4: fields.{'ä' * 32} is longer than the 63 bytes Postgres allows: '{'ä' * 32}'.",
    ),
    "a column mapped twice": (
        mapping("name: {from: Sku}"),
        "line 4: fields.name is written twice, first on line 4. Keep one.",
    ),
    "two sources without an order": (
        mapping("a: {from: A, value: b}"),
        "line 4: fields.a.value cannot stand beside from: keep the one that is meant.",
    ),
    "no source": (
        mapping("a: {default: b}"),
        "line 4: fields.a has no source. Write from: and a path, or value: and a constant.",
    ),
    "the same path twice": (
        mapping("a: {from: [A, A]}"),
        "line 4: fields.a.from.2 is there already: 'A'. Remove it.",
    ),
    "a field that is only a path": (
        mapping("a: TxnDate"),
        "line 4: fields.a must be a group of words, and is 'TxnDate'. Write {from: TxnDate}.",
    ),
    "a path that is none": (
        mapping("a: {from: A..B}"),
        "line 4: fields.a.from is not a path: 'A..B'. "
        "Write names with dots, such as BillAddr.City.",
    ),
    "a path into a list by number": (
        mapping('a: {from: "CustomField[0].StringValue"}'),
        "line 4: fields.a.from is not a path: 'CustomField[0].StringValue'. "
        "Write names with dots, such as CustomField[Name=Sales Rep].StringValue.",
    ),
    "a path that is none, in a list": (
        mapping("a: {from: [A, B..C]}"),
        "line 4: fields.a.from.2 is not a path: 'B..C'. "
        "Write names with dots, such as BillAddr.City.",
    ),
    "a join with a slip": (
        mapping("a: {from: {jion: [A, B]}}"),
        "line 4: fields.a.from.jion is not a key here: 'jion'. Did you mean 'join'?",
    ),
    "a join among others with a slip": (
        mapping("a: {from: [A, {join: [A, B], whith: x}]}"),
        "line 4: fields.a.from.2.whith is not a key here: 'whith'. Did you mean 'with'?",
    ),
    "a join of one text": (
        mapping("a: {from: {join: A}}"),
        "line 4: fields.a.from.join must be a list: 'A'. Write [A].",
    ),
    "a join of the same path twice": (
        mapping("a: {from: {join: [A, A]}}"),
        "line 4: fields.a.from.join.2 is there already: 'A'. Remove it.",
    ),
    "a join with something that is no text": (
        mapping("a: {from: {join: [A, B], with: true}}"),
        "line 4: fields.a.from.with cannot be: 'true'. Write a short text, such as ' ' or ', '.",
    ),
    "a list in a list": (
        mapping("a: {from: [[A]]}"),
        "line 4: fields.a.from.1 must be a single text.",
    ),
    "a column without a value": (
        mapping("a: "),
        "line 4: fields.a has no value. Write one, or remove it.",
    ),
    "a blank constant": (
        mapping("a: {value: ' '}"),
        "line 4: fields.a.value is blank. Write a text, or remove it.",
    ),
    "yes for true": (
        mapping("a: {from: A, required: yes}"),
        "line 4: fields.a.required cannot be: 'yes'. Write true or false.",
    ),
    "a kind that is none": (
        mapping("a: {from: A, kind: fone}"),
        "line 4: fields.a.kind cannot be: 'fone'. Did you mean 'phone'?",
    ),
    "edits by nobody": (
        mapping("a: {from: A, edits: cmr}"),
        "line 4: fields.a.edits cannot be: 'cmr'. Did you mean 'crm'?",
    ),
    "edits of a reference": (
        mapping("a: {from: A, refers: products, edits: crm}"),
        "line 4: fields.a.edits cannot be 'crm' beside refers. Write quickbooks, or remove it.",
    ),
    "edits of the key": (
        mapping("a: {from: A, edits: crm}", **{"import": "{key: a}"}),
        "line 4: fields.a.edits cannot be 'crm': it is the key. Write quickbooks, or remove it.",
    ),
    "edits and blanks": (
        mapping("a: {from: A, edits: crm, blank_overwrites: true}"),
        "line 4: fields.a.blank_overwrites cannot stand beside edits: crm, where a person's value "
        "stays. Remove it.",
    ),
    "a policy for keywords that is none": (
        mapping("a: {from: A, keywords: add}"),
        "line 4: fields.a.keywords cannot be: 'add'. Write one of: ignore, insert.",
    ),
    "keywords that are no list": (
        mapping("a: {from: A, keywords: {b: c}}"),
        "line 4: fields.a.keywords must be ignore, insert, or a list of keywords.",
    ),
    "keywords with a kind": (
        mapping("a: {from: A, keywords: insert, kind: email}"),
        "line 4: fields.a.kind cannot stand beside keywords. Remove it.",
    ),
    "a separator that is none": (
        mapping(**{"import": "{key: a, separator: ','}"}),
        "line 3: import.separator cannot be: ','. Write one of: |, ;.",
    ),
    "an owner who is not": (
        mapping("a: {from: A, owner: false}"),
        "line 4: fields.a.owner cannot be: 'false'. Write true, or remove it.",
    ),
    "an owner with a default": (
        mapping("a: {from: A, owner: true, default: U-1}"),
        "line 4: fields.a.default cannot stand beside owner. Remove it.",
    ),
    "the owner of no record": (
        mapping("a: {owner: b}"),
        "line 4: fields.a.owner names 'b', which is no field that refers to a record. Write true, "
        "or a column whose line has refers.",
    ),
    "the owner of a record in other letters": (
        mapping("a: {owner: B}, b: {from: B, refers: products}"),
        "line 4: fields.a.owner names 'B', which is no field that refers to a record. Did you mean "
        "'b'? Write true, or a column whose line has refers.",
    ),
    "an owner named twice": (
        mapping("a: {from: A, owner: b}, b: {from: B, refers: products}"),
        "line 4: fields.a.from is never used: the owner is that of b.",
    ),
    "an owner for a key": (
        mapping("a: {from: A, owner: true}", **{"import": "{key: a}"}),
        "line 3: import.key cannot be 'a': many have the same owner. Take an id.",
    ),
    "a reference with a default": (
        mapping("a: {from: A, refers: products, default: 1}"),
        "line 4: fields.a.default cannot stand beside refers. Remove it.",
    ),
    "no fields": (
        "entities: [Item]\ntable: a.b\nimport: {mode: create}\nfields: {}\n",
        "line 4: fields is empty. Write at least one column, such as name: {from: Name}.",
    ),
    "no key to merge with": (
        mapping(**{"import": "{check: [name]}"}),
        "line 3: import.key is missing. "
        "With mode merge, write the column that finds a record again.",
    ),
    "a key that create never uses": (
        mapping(**{"import": "{mode: create, key: name}"}),
        "line 3: import.key has no use with mode create, which never looks for a record. "
        "Remove it.",
    ),
    "a default owner where nothing is owned": (
        mapping(**{"import": "{mode: create, default_owner: U-1}"}),
        "line 3: import.default_owner has no use: no field here has an owner of its own. "
        "Remove it.",
    ),
    "a default owner where every owner is another record's": (
        mapping(
            "a: {from: A, refers: accounts}, o: {owner: a}",
            **{"import": "{mode: create, default_owner: U-1}"},
        ),
        "line 3: import.default_owner has no use: no field here has an owner of its own. "
        "Remove it.",
    ),
    "a policy for sub-customers that there are not": (
        mapping(**{"import": "{mode: create, child_accounts: skip}"}),
        "line 3: import.child_accounts has no use: no field here is from ParentRef.value and "
        "refers. Remove it.",
    ),
    "a policy for sub-customers that is none": (
        mapping(
            "p: {from: ParentRef.value, refers: p}",
            **{"import": "{mode: create, child_accounts: rollup}"},
        ),
        "line 3: import.child_accounts cannot be: 'rollup'. Did you mean 'roll_up'?",
    ),
    "a key with the same value everywhere": (
        mapping("a: {value: b}", **{"import": "{key: a}"}),
        "line 3: import.key cannot be 'a': every record has the same value there.",
    ),
    "a key that may be open": (
        mapping("a: {from: A, refers: products}", **{"import": "{key: a}"}),
        "line 3: import.key cannot be 'a': a reference may still be open. Take an id or a name.",
    ),
    "a field that the sync fills itself": (
        mapping("company_id: {value: x}", company="company_id"),
        "line 4: fields.company_id is filled by the sync itself, as company: company_id says. "
        "Remove one of the two.",
    ),
    "a flag that would never go away": (
        mapping(when_deleted="{deleted: true}"),
        "line 5: when_deleted.deleted is not a column of fields. Give it a source there too, "
        "such as value: false, so that a record that comes back loses the flag.",
    ),
    "a flag in other letters": (
        mapping("deleted: {value: false}", when_deleted="{Deleted: true}"),
        "line 5: when_deleted.Deleted is not a column of fields. Did you mean 'deleted'? Give it a "
        "source there too, such as value: false, so that a record that comes back loses the flag.",
    ),
    "a flag that changes the key": (
        mapping(when_inactive="{product_id: gone}"),
        "line 5: when_inactive.product_id is the key, which must stay. Remove it.",
    ),
    "a rule without conditions": (
        mapping(exclude="[{where: {}, because: of all}]"),
        "line 5: exclude.1.where would exclude every record. Write a condition.",
    ),
    "a rule without a reason": (
        mapping(exclude="[{where: {A: b}}]"),
        "line 5: exclude.1.because is missing. Write, for example, "
        "because: a category is not a product.",
    ),
    "a comparison with nothing": (
        mapping(exclude="[{where: {A: {}}, because: it is}]"),
        "line 5: exclude.1.where.A compares with nothing. "
        "Write a value, or words such as {blank: true}.",
    ),
    "a comparison that is none": (
        mapping(exclude="[{where: {A: {abov: 3}}, because: it is}]"),
        "line 5: exclude.1.where.A.abov is not a key here: 'abov'. Did you mean 'above'?",
    ),
    "above something that is no number": (
        mapping(exclude="[{where: {A: {above: x}}, because: it is}]"),
        "line 5: exclude.1.where.A.above is neither a number nor a day: 'x'. "
        "Write digits, such as 100 or 0.5, or year-month-day, such as 2024-01-31.",
    ),
    "below a day that does not exist": (
        mapping(exclude="[{where: {A: {below: 2024-02-30}}, because: it is}]"),
        "line 5: exclude.1.where.A.below is neither a number nor a day: '2024-02-30'. "
        "Write digits, such as 100 or 0.5, or year-month-day, such as 2024-01-31.",
    ),
    "a word that documents have and their lines have not": (
        mapping(
            lines="{from: Line, table: crm.lines, parent: a, position: b, "
            "fields: {rep: {from: Rep, owner: true}}}"
        ),
        "line 5: lines.fields.rep.owner is a word of documents only: their lines are QuickBooks' "
        "own, and written as it has them. Remove it.",
    ),
    "a keyword policy in lines that is none": (
        mapping(
            lines="{from: Line, table: crm.lines, parent: a, position: b, "
            "fields: {unit: {from: Unit, keywords: reject}}}"
        ),
        "line 5: lines.fields.unit.keywords cannot be: 'reject'. Write one of: ignore, insert.",
    ),
    "a word far from all others": (
        mapping(zzz="1"),
        "line 5: zzz is not a key here: 'zzz'. Write one of: entities, table, company, exclude, "
        "import, fields, when_inactive, when_deleted, when_merged, by_name, lines.",
    ),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_named_with_its_line_and_its_cure(text: str, said: str) -> None:
    """K06, K07, K09, K14."""
    assert problems(text) == [said]


def test_an_entity_that_is_a_list_is_told_beside_fields_of_single_entities() -> None:
    text = mapping("a: {for_entity: {Item: {from: A}}}", entities="[[Item], Customer]")

    assert problems(text) == [
        "line 1: entities.1 must be a single text.",
        "line 4: fields.a has no source. Write from: and a path, or value: and a constant.",
        "line 4: fields.a.for_entity.Item is none of the entities: ['Item'], Customer. Remove it.",
    ]


def test_key_and_check_fields_without_a_line_of_fields_are_no_mistake_of_the_file() -> None:
    """Whether the CRM requires them comes first, and that only its table can tell."""
    found = read(mapping(**{"import": "{key: nam, check: [name, cod]}"}))

    assert (found.key, found.check) == ("nam", ("name", "cod"))


NEEDED = ("entities", "table", "import", "fields")


@pytest.mark.parametrize("word", ["company", "exclude", "import", "fields", "lines", "by_name"])
def test_a_word_in_capitals_is_told_alone_without_what_follows_from_it(word: str) -> None:
    text = mapping(company="x", exclude="[]", lines="{}", by_name="true")
    written = [line for line in text.splitlines() if line.split(":")[0] in (*NEEDED, word)]

    found = problems("\n".join(written).replace(f"{word}:", f"{word.upper()}:"))

    said = f"{word.upper()} is not a key here: '{word.upper()}'. Did you mean '{word}'?"
    assert [problem.partition(": ")[2] for problem in found] == [said]


KNOWN = {"required", "default", "blank_overwrites", "lookup", "refers"}


@given(st.sampled_from(sorted(KNOWN)), st.data())
def test_a_slip_of_one_letter_is_told_with_the_word_that_was_meant(
    word: str, data: st.DataObject
) -> None:
    """K06."""
    place = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("aeiounrst"))
    slip = word[:place] + letter + word[place + data.draw(st.integers(0, 1)) :]
    assume(slip not in MAPPING.below(("fields", "a")))

    found = problems(mapping(f"a: {{from: A, {slip}: x}}"))

    assert found == [f"line 4: fields.a.{slip} is not a key here: '{slip}'. Did you mean '{word}'?"]
