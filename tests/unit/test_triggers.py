"""What begins runs is told in words, and found by them."""

import pytest

from quickbooks_crm import triggers


@pytest.mark.parametrize(
    ("trigger", "previewed", "said"),
    [
        ("manual", None, "by hand"),
        ("scheduled", None, "the schedule"),
        ("operator_triggered", "the preview", "a Yes"),
        ("operator_triggered", None, "another run"),
        ("something of a later Airflow", None, "something of a later Airflow"),
    ],
)
def test_a_trigger_is_told_in_words(trigger: str, previewed: str | None, said: str) -> None:
    assert triggers.words(trigger, previewed) == said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("anna", []),
        ("YES", ["operator_triggered"]),
        ("by", ["manual"]),
        ("another", ["operator_triggered"]),
    ],
)
def test_a_trigger_is_found_by_a_part_of_its_words(text: str, found: list[str]) -> None:
    assert triggers.called(text) == found
