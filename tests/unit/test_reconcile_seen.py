"""Which records has a comparison met? In little memory, however many."""

from random import Random

from quickbooks_crm.reconcile.seen import Seen


def test_pages_of_any_size_with_records_in_common_are_remembered_exactly() -> None:
    random, seen, truth = Random(1), Seen(), set[str]()
    for _ in range(200):
        page = [str(random.randrange(5_000)) for _ in range(random.choice([0, 1, 2, 50, 100]))]

        assert seen.missing(page) == [id for id in page if id not in truth]
        seen.add(page)
        truth.update(page)

    assert len(seen) == len(truth)
    everyone = [str(id) for id in range(5_000)]
    assert seen.missing(everyone) == [id for id in everyone if id not in truth]


def test_many_small_pages_lie_in_few_arrays_of_eight_bytes_a_record() -> None:
    seen = Seen()
    for start in range(0, 100_000, 100):
        seen.add([str(id) for id in range(start, start + 100)])

    assert len(seen._arrays) <= 12
    assert sum(array.nbytes for array in seen._arrays) == 800_000
