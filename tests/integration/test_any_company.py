"""Whatever a company holds, whatever people do, however its mappings are set: after every run the
CRM and what is said of each row are what the import semantics say.

Hypothesis makes up stories, as `model_stories.py` says, and `model.py` tells them a second time in
plain Python. SEQUENCES=5000 tells so many instead of a few.
"""

import itertools
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.crm import rows
from tests.integration.model_play import EMPTY, Play, crm_of_any_company
from tests.integration.model_stories import (
    Changes,
    Decides,
    Step,
    Story,
    Syncs,
    good,
    stories,
    taken,
)
from tests.integration.model_values import Customer, Settings
from tests.stories import so_many, soon_told, telling

__all__ = ["crm_of_any_company"]

pytestmark = pytest.mark.slow

STORIES = so_many(10)


@pytest.mark.timeout(0)
def test_crm_and_ledger_are_what_the_import_semantics_say(
    crm_of_any_company: psycopg.Connection[Any],
) -> None:
    numbers = itertools.count(1)

    @telling(STORIES)
    @given(stories)
    @soon_told
    def tell(story: Story) -> None:
        crm_of_any_company.execute(EMPTY)
        realm = f"company {next(numbers)}"
        first = {"accounts": story.accounts, "contacts": story.contacts}
        play = Play(crm_of_any_company, realm, first)
        play.act(Decides(story.children))
        for step in story.steps:
            play.act(step)

    tell()


PLAIN = Settings("merge", "quickbooks_id", ())
RELATIONS = """
    SELECT to_jsonb(own) - '{id,parent_id}'::text[], above.quickbooks_id
      FROM own.accounts AS own LEFT JOIN own.accounts AS above ON above.id = own.parent_id
     UNION ALL
    SELECT to_jsonb(own) - '{id,account_id}'::text[], account.quickbooks_id
      FROM own.contacts AS own LEFT JOIN own.accounts AS account ON account.id = own.account_id
     ORDER BY 1, 2"""


@pytest.mark.timeout(0)
def test_the_same_changes_come_to_the_same_in_however_many_runs(
    crm_of_any_company: psycopg.Connection[Any],
) -> None:
    """Of whichever modules, the last of all. As long as nothing is refused or the same thing twice:
    those are told by what there is."""

    def come_to(steps: list[Step]) -> list[Any]:
        crm_of_any_company.execute(EMPTY)
        play = Play(crm_of_any_company, next(realms), {"accounts": PLAIN, "contacts": PLAIN})
        for step in steps:
            play.act(step)
        return rows(crm_of_any_company, RELATIONS)

    realms = (f"regrouped {number}" for number in itertools.count())
    run = Syncs(5000, False, False, False, False, False, None, 0)

    @telling(max(STORIES // 10, 5))
    @given(st.lists(st.tuples(good, st.none() | taken), min_size=2, max_size=6))
    @soon_told
    def tell(changes: list[tuple[Customer, tuple[str, ...] | None]]) -> None:
        at_once: list[Step] = [Changes(customer) for customer, _ in changes]
        in_runs = [
            step
            for customer, then in changes
            for step in (Changes(customer), replace(run, modules=then))[: 2 if then else 1]
        ]
        assert come_to([*at_once, run]) == come_to([*in_runs, run])

    tell()
