"""Whatever a company holds and whatever people do, a preview says of each record what the sync
after it does.

The stories are those of `test_any_company.py`. SEQUENCES=5000 tells so many instead of a few.
"""

import itertools
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from hypothesis import given
from psycopg.types.json import Jsonb

from quickbooks_crm import preview, replay, runs
from quickbooks_crm.companies import Company
from quickbooks_crm.judge import Lenience
from quickbooks_crm.one_module import Bringing
from quickbooks_crm.runs import Run
from tests.integration.crm import SETTINGS
from tests.integration.model_play import EMPTY, Play, crm_of_any_company
from tests.integration.model_stories import Decides, Story, Syncs, stories
from tests.integration.model_values import REFERS
from tests.stories import so_many, soon_told, telling

__all__ = ["crm_of_any_company"]

pytestmark = pytest.mark.slow

Told = dict[tuple[str, ...], dict[str, Any]]
TOLD = """
    SELECT to_jsonb(told.*) - 'run_id' FROM sync.outcome AS told
     WHERE (realm, run_id) = (%s, %s)"""
REFERENCES = {**REFERS, "documents": "account_id"}


@dataclass
class Previewed(Play):
    """A story in which each sync is previewed."""

    said: Told = field(default_factory=dict)

    def _settle(self, run: Run, how: Syncs) -> None:
        self.said = self.preview(how)
        super()._settle(run, how)

    def _bring(self, run: Run, how: Syncs) -> None:
        super()._bring(run, how)
        assert self.told(run) == self.said

    def preview(self, how: Syncs) -> Told:
        """What a preview of the same modules says that begins now."""
        run = Run("own", self.realm, f"preview-{next(self.runs)}")
        runs.start(self.connection, run, "manual", "admin")
        asked = {"default_owner": how.default_owner} if how.default_owner else {}
        self.connection.execute(SETTINGS, [Jsonb(asked), run.realm, run.run_id])
        company = Company("own", "own", "quickbooks", None, None, "own")
        bringing = Bringing(run, company, self.known(), Lenience(rehearsal=True))
        with self.connection.transaction(force_rollback=True):
            if how.replays:
                preview.again(self.connection, bringing, list(how.modules), replay.bring)
            else:
                preview.sync(self.connection, bringing, list(how.modules))
            return self.told(run)

    def told(self, run: Run) -> Told:
        """What is said of each record, whatever keys new ones have got."""
        ended = [end for (end,) in self._all(TOLD, [run.realm, run.run_id])]
        new = {
            (end["module"], end["record_key"]): f"that of {end['id']}"
            for end in ended
            if end["outcome"] == "added"
        }
        return {(end["module"], end["entity"], end["id"]): _named(end, new) for end in ended}


def _named(end: dict[str, Any], new: dict[tuple[str, str], str]) -> dict[str, Any]:
    """How a record ended, with names for the keys of new records."""
    module = end["module"]
    for name in ("record_key", "collides_with"):
        end[name] = new.get((module, end[name]), end[name])
    for image in filter(None, (end["before"], end["after"])):
        for row in (image, *image.get("@lines", ())):
            for own in ("id", "document_id"):
                row.pop(own, None)
            column = REFERENCES[module] if row is image else "account_id"
            if column in row:
                row[column] = new.get(("accounts", str(row[column])), row[column])
    return end


@pytest.mark.timeout(0)
def test_a_preview_says_of_each_record_what_the_sync_after_it_does(
    crm_of_any_company: psycopg.Connection[Any],
) -> None:
    numbers = itertools.count(1)

    @telling(so_many(5))
    @given(stories)
    @soon_told
    def tell(story: Story) -> None:
        crm_of_any_company.execute(EMPTY)
        first = {"accounts": story.accounts, "contacts": story.contacts}
        play = Previewed(crm_of_any_company, f"previewed {next(numbers)}", first)
        play.act(Decides(story.children))
        for step in story.steps:
            play.act(step)

    tell()
