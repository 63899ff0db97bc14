"""Numbers of things as people write them."""


def many(count: int, one: str, several: str = "") -> str:
    """`1 record` or `2 records`; `several` where the plural is not just an s."""
    return f"{count:,} {be(count, one, several or f'{one}s')}"


def be(count: int, one: str = "is", several: str = "are") -> str:
    """The word that goes with so many."""
    return one if count == 1 else several
