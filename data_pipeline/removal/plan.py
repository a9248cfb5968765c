"""All that a removal changes, in its order."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from data_pipeline.removal.change import Change
from data_pipeline.removal.models import FoundModel, find_models, prediction_changes, result_changes
from data_pipeline.removal.other_person import keep_changes
from data_pipeline.removal.outputs import output_changes
from data_pipeline.removal.person import Person, find_person
from data_pipeline.removal.sources import Source, find_sources, source_changes
from data_pipeline.removal.tables import manifest_changes, table_changes
from tfrecords.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is changed in turn, the sources (`left` of them stay), and the models that were looked at."""

    person: Person
    changes: tuple[Change, ...]
    sources: tuple[Source, ...]
    left: tuple[Source, ...]
    models: tuple[FoundModel, ...]


def plan_removal(
    workspace: Workspace,
    subject: str,
    *,
    models: Sequence[Path] = (),
    predictions: Sequence[Path] = (),
    delete_sources: bool = False,
    keep_others: bool = False,
) -> Plan:
    """Looks for everything that is of `subject`; changes nothing.

    The order is such that whatever part of the changes has been made, a new plan holds the rest: what says whose a file
    is (the manifest, and before it the older ones) goes last.

    Raises:
      InputError: nobody is called so, a table cannot be read, a folder is missing, or an entry cannot be kept.
    """
    person = find_person(workspace, subject, keep_others)
    sources = find_sources(workspace, person)
    found = find_models(models, subject)
    changes = [*keep_changes(workspace, person), *output_changes(workspace, person)]
    changes += prediction_changes(predictions, person, [source.path for source in sources])
    changes += result_changes(found, person)
    changes += source_changes(sources) if delete_sources else ()
    changes += table_changes(workspace, person)
    changes += manifest_changes(workspace, person)
    left = [source for source in sources if source.stays or not delete_sources]
    return Plan(person, tuple(changes), tuple(sources), tuple(left), tuple(found))
