"""A person who answers at once: a run of a test has nobody who could wait for them."""

from datetime import UTC, datetime
from typing import Any


def answer(dag: Any, said: str, by: str) -> None:
    """The question of a DAG's next run is answered as Airflow hands the answer over."""
    proceed = dag.get_task("proceed")
    who = {"id": by, "name": by}
    told: dict[str, Any] = {"chosen_options": [said], "params_input": {}, "responded_by_user": who}
    told |= {"responded_at": datetime.now(UTC), "timedout": False}
    proceed.execute = lambda context: proceed.execute_complete(context, told)
