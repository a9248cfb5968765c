"""FATAUVA-Net's training in stages: ``train --composite=fatauva --stage=…`` (SPEC.md, "Background systems").

| stage | heads, of those whose labels the records have | trained |
| --- | --- | --- |
| ``attributes`` | CelebA's attributes, a head a branch | core and branches |
| ``action_units`` | action units, a head a block | the blocks |
| ``va`` | valence and arousal | what reads the blocks' maps |
| ``all`` | all of these at once | everything |

``--stage_from`` names the model of the stage before: what it trained is taken over, its heads too, and stays as it is,
or with ``--freeze_earlier=false`` goes on learning, from its own labels as well. What no stage before has trained is
trained: without ``--stage_from`` everything that a stage's heads read, else what the stages before had no labels for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

from affwildnet.backbones.backbone import leading_to
from affwildnet.backbones.fatauva import SIZES, Size
from affwildnet.backbones.fatauva_tables import ATTRIBUTES, BLOCKS, DIMENSIONS
from affwildnet.heads import FEATURES, Head, head_text, parse_heads
from affwildnet.model_folder import ModelFolder, read_options
from affwildnet.models import AffWildNet, ModelOptions
from tfrecords.errors import InputError

# Stage -> the points that its heads read.
STAGE_POINTS: dict[str, tuple[str, ...]] = {
    "attributes": tuple(ATTRIBUTES),
    "action_units": tuple(name for name, block in BLOCKS.items() if block.action_units),
    "va": tuple(DIMENSIONS),
}
STAGE_POINTS["all"] = tuple(point for points in STAGE_POINTS.values() for point in points)
STAGES = tuple(STAGE_POINTS)
# Every column that the network can learn.
COLUMNS = (*(name for names in ATTRIBUTES.values() for name in names),)
COLUMNS += (*(name for block in BLOCKS.values() for name in block.action_units), *DIMENSIONS)


@dataclasses.dataclass(frozen=True)
class Stage:
    """One of `STAGES` or '' for none, the model folder that it starts from, and whether that stays as it is."""

    name: str = ""
    source: str = ""
    freeze: bool = True


def stage_heads(backbone: str, stage: str, known: Collection[str]) -> tuple[Head, ...]:
    """The heads of a stage that have labels among the columns `known`, each with those columns that are.

    Attribute heads have fully connected layers of 512 and 1024 units, those of blocks one of 512, of valence and
    arousal two of 1024, at the full width.
    """
    size = SIZES[backbone]
    heads = [
        *(_head(f"{branch}_attributes", "sigmoid", names, branch, size, 4, 8) for branch, names in ATTRIBUTES.items()),
        *(_head(name, "sigmoid", block.action_units, name, size, 4) for name, block in BLOCKS.items()),
        *(_head(name, "regression", (name,), name, size, 8, 8) for name in DIMENSIONS),
    ]
    found = []
    for head in heads:
        columns = tuple(column for column in head.columns if column in known)
        if head.point in STAGE_POINTS[stage] and columns:
            found.append(dataclasses.replace(head, columns=columns))
    return tuple(found)


def _head(name: str, kind: str, columns: tuple[str, ...], point: str, size: Size, *factors: int) -> Head:
    hidden = tuple(factor * size.width for factor in factors)
    return Head(name, kind, columns, point, hidden=hidden, dropout=size.dropout)


def staged_options(model: ModelOptions, stage: Stage, known: Collection[str]) -> ModelOptions:
    """The network of a stage: `model` with the heads of the stage before and then, unless it names heads, its own.

    Args:
      known: the label columns that the records have.

    Raises:
      InputError: the backbone has no stages, the stage no labels, or the model that it starts from had it already.
    """
    if not stage.name:
        if stage.source:
            raise InputError(
                "--stage_from", "it hands a stage on, and none is named", f"give --stage={'|'.join(STAGES)}"
            )
        return model
    flag = f"--stage={stage.name}"
    if model.backbone not in SIZES:
        remedy = f"give --backbone={'|'.join(SIZES)}, or a --composite"
        raise InputError(flag, f"{model.backbone} is not trained in stages", remedy)
    own = parse_heads(model.heads) or stage_heads(model.backbone, stage.name, known)
    points = STAGE_POINTS[stage.name]
    if not any(head.point in points for head in own):
        what = "no head reads a point of it" if model.heads else "the records have none of its labels"
        raise InputError(flag, what, f"its points are {', '.join(points)}, see affwildnet/backbones/fatauva_tables.py")
    earlier = source_heads(stage)
    carried = [head for head in earlier if not {head.name, *head.columns} & _names(own)]
    if stage.freeze and len(carried) < len(earlier):
        name = next(head.name for head in earlier if head not in carried)
        remedy = "start from the stage before it, or give --freeze_earlier=false"
        raise InputError(flag, f"{stage.source} has been through it: its head {name} stays as it is", remedy)
    return dataclasses.replace(model, heads=tuple(map(head_text, (*carried, *own))))


def source_heads(stage: Stage) -> tuple[Head, ...]:
    """The heads of the model that a stage starts from; () without one."""
    return parse_heads(read_options(ModelFolder(Path(stage.source))).heads) if stage.source else ()


def _names(heads: Sequence[Head]) -> set[str]:
    return {name for head in heads for name in (head.name, *head.columns)}


def freeze_earlier(model: AffWildNet, stage: Stage) -> None:
    """Makes untrainable what a stage takes over and keeps: heads of the model it starts from, and all that they read.

    Frozen batch norm keeps its averages, and a frozen head's loss does not count.
    """
    if not (stage.source and stage.freeze):
        return
    earlier = source_heads(stage)
    for head in earlier:
        model.head.parts[head.name].trainable = False
    # A head that names no point reads what the network ends with.
    for layer in leading_to(model.backbone, [head.point or FEATURES for head in earlier]).layers:
        layer.trainable = False


def counting_heads(model: AffWildNet) -> tuple[Head, ...]:
    """The model's heads, with weight 0 for those that are frozen."""
    return tuple(
        head if model.head.parts[head.name].trainable else dataclasses.replace(head, weight=0.0) for head in model.heads
    )


def trained_columns(model: ModelOptions, stage: Stage) -> tuple[str, ...]:
    """The label columns that training needs: all, but those of heads that a stage takes over and keeps."""
    kept = _names(source_heads(stage)) if stage.freeze else set()
    return tuple(column for column in model.outputs if column not in kept)
