"""Charts: every number is in its place, and nothing is drawn outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quickbooks_crm.pages.drawing import HEIGHT, WIDTH, Chart, Series, drawn, nice


def chart(*values: tuple[float, ...], upright: bool = True, **given: Series) -> Chart:
    """A chart of series with these values."""
    series = tuple(Series(f"series {n}", f"look-{n}", each) for n, each in enumerate(values))
    categories = tuple(f"c{place}" for place in range(len(values[0]) if values else 0))
    told = "{:g}".format
    return Chart(
        "id", "Title", "Sentence", "Empty", categories, series, told, **given, upright=upright
    )


@pytest.mark.parametrize(
    ("most", "end"),
    [(0, 1), (1, 1), (1.2, 2), (3, 5), (7, 10), (10, 10), (11, 20), (4999, 5000), (5e-324, 5e-324)],
)
def test_a_scale_ends_at_a_round_number(most: float, end: float) -> None:
    assert nice(most) == end


def test_columns_stand_on_each_other_and_are_as_tall_as_their_numbers() -> None:
    below, above = drawn(chart((5.0,), (2.5,))).boxes

    assert below.height == pytest.approx(2 * above.height, abs=0.2)
    assert above.y + above.height == pytest.approx(below.y, abs=0.2)
    assert (below.said, above.look) == ("c0: series 0 5", "look-1")


def test_bars_lie_beside_each_other_with_their_sum_behind_them() -> None:
    shown = drawn(chart((5.0, 1.0), (5.0, 0.0), upright=False))

    first, second, third = shown.boxes
    assert first.x + first.width == pytest.approx(second.x, abs=0.2)
    assert third.y > first.y == second.y
    assert [value.text for value in shown.values] == ["10", "1"]


def test_a_limit_is_a_line_of_its_own_and_part_of_the_scale() -> None:
    budget = Series("budget", "limit", (100.0,))
    shown = chart((3.0,), upright=False, limit=budget)

    assert (shown.top, drawn(shown).values[0].text) == (100, "3 of 100")
    assert len(drawn(shown).limits) == 1


def test_nothing_but_zeros_is_nothing_to_draw() -> None:
    assert chart((0.0, 0.0)).blank
    assert chart(()).blank
    assert not chart((0.0, 1.0)).blank


def test_no_more_names_are_written_than_there_is_room_for() -> None:
    assert len(drawn(chart(tuple(range(31)))).names) == 8


numbers = st.floats(0, 1e12, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40), st.booleans())
def test_nothing_is_drawn_outside(rows: list[tuple[float, float]], upright: bool) -> None:
    first, second = (tuple(column) for column in zip(*rows, strict=True))
    shown = drawn(chart(first, second, upright=upright))

    tall = HEIGHT if upright else shown.height
    for box in shown.boxes:
        assert box.x >= 0 and box.y >= 0 and box.width >= 0 and box.height >= 0
        assert box.x + box.width <= WIDTH + 0.2
        assert box.y + box.height <= tall + 0.2
