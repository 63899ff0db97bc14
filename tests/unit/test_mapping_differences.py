"""What two mappings say differently, told in words and line by line."""

from textwrap import dedent

from quickbooks_crm.mapping.differences import differences, lines, told

BEFORE = dedent("""\
    entities: [Item]
    table: crm.products
    import: {mode: merge, key: code}
    fields:
      code: {from: Sku}
      name: {from: Name}
      notes: {from: Description}
    """)


def after(*changes: tuple[str, str]) -> str:
    text = BEFORE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_every_word_that_differs_is_told_with_what_it_was_and_is() -> None:
    text = after(
        ("mode: merge", "mode: create"),
        ("notes: {from: Description}", "price: {from: UnitPrice, default: 0}"),
        ("{from: Name}", "{from: [Name, Sku], required: true}"),
    )

    assert told(BEFORE, text) == [
        "import.mode changed: merge → create",
        "fields.name changed: {from: Name} → {from: [Name, Sku], required: true}",
        "fields.price added: {from: UnitPrice, default: 0}",
        "fields.notes removed: {from: Description}",
    ]
    assert [each.kind for each in differences(BEFORE, text)] == [
        *("changed", "changed", "added", "removed")
    ]


def test_a_word_that_is_written_for_the_first_time_is_told_by_its_parts() -> None:
    text = BEFORE + "when_deleted: {active: false}\nlines: {from: Line, fields: {a: {from: Id}}}\n"

    assert told(BEFORE, text) == [
        "when_deleted added: {active: false}",
        "lines.from added: Line",
        "lines.fields.a added: {from: Id}",
    ]


def test_a_text_that_would_be_misread_is_shown_in_quotes() -> None:
    text = after(("{from: Name}", "{from: Name, default: ' '}"), ("{from: Sku}", "{value: 'true'}"))

    assert told(BEFORE, text) == [
        "fields.code changed: {from: Sku} → {value: 'true'}",
        "fields.name changed: {from: Name} → {from: Name, default: ' '}",
    ]


def test_what_means_the_same_is_told_so() -> None:
    same = after(("table: crm.products\n", "table:   crm.products   # ours\n"))

    assert told(BEFORE, same) == ["Only comments, spaces or the order of words differ."]
    assert told(BEFORE, BEFORE) == ["Both say the same."]


def test_lines_are_shown_as_diff_shows_them() -> None:
    text = after(("  name: {from: Name}\n", ""))

    shown = lines(BEFORE, text, ("products, version 1", "products.yaml"))

    assert shown[:2] == ["--- products, version 1", "+++ products.yaml"]
    assert [line for line in shown[2:] if line[0] in "+-"] == ["-  name: {from: Name}"]


def test_a_text_that_is_no_yaml_differs_in_its_lines_only() -> None:
    assert differences(BEFORE, "fields: [") == []
    assert "+fields: [" in lines(BEFORE, "fields: [", ("a", "b"))
