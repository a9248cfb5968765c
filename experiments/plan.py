"""Tables -> the runs that fill them: what each is trained with, how long, and what it starts from.

A run is named after its flags, so that rows of several tables that ask for the same training share it, and one that is
finished is never trained again.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import ml_collections

from experiments.configs import pretraining
from experiments.configs.table import make_run, make_table
from experiments.published import highest_recorded_step
from tfrecords.errors import InputError
from tfrecords.options import option

# What a step of the thesis sees: a batch of 2 sequences of 80.
FRAMES_A_STEP = 160
# Two days at a checkpoint every 15 minutes (thesis, §6.1 and §5).
CHECKPOINTS = 2 * 24 * 4


@dataclasses.dataclass(frozen=True)
class PlanOptions:
    """Which runs, and how long each."""

    variants: tuple[str, ...] = option((), "rows of the tables to run, as gru,vggface_case*; by default those printed")
    seeds: tuple[str, ...] = option(("1",), "seeds; each makes a run of every row")
    steps: int = option(
        highest_recorded_step(),
        "length of every run, in the thesis's steps of 160 frames: other batches see as many frames; by default the "
        "highest step among the author's recorded runs",
        at_least=1,
    )
    budget: float = option(1.0, "part of those steps that every run gets, to shorten all alike", at_least=0, at_most=1)
    checkpoints: int = option(CHECKPOINTS, "checkpoints of a run, evenly spaced", at_least=1)
    set: tuple[str, ...] = option((), "train's flags for all runs, over the tables': backbone=small_cnn,batch=4")


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: `flags` of ``affwildnet.train`` but for paths and devices; names of the runs that it starts from.

    `tested` is False for a CNN's pre-training and a stage that others build on, which no table shows: it is neither
    evaluated nor tested.
    """

    name: str
    flags: dict[str, str]
    steps: int
    checkpoint_steps: int
    rnn_from: str = ""
    cnn_from: str = ""
    tested: bool = True
    stage_from: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in (self.cnn_from, self.rnn_from, self.stage_from) if name))


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table and a seed, and the name of its run."""

    table: str
    variant: str
    seed: str
    run: str


@dataclasses.dataclass(frozen=True)
class Plan:
    """Rows of tables, and their runs by name, each after those that it needs."""

    rows: list[Row]
    runs: dict[str, Run]


def make_plan(
    tables: Sequence[ml_collections.ConfigDict], chosen: PlanOptions, carried: Mapping[str, Any] | None = None
) -> Plan:
    """The plan of `tables`; `carried` are flags of earlier tables' winners, over these tables' own.

    Raises:
      InputError: ``--set`` is not ``name=value``.
    """
    overrides = parse_overrides(chosen.set)
    plan = Plan([], {})
    for config in tables:
        for variant in _variants(config, chosen.variants):
            for seed in chosen.seeds:
                run = _add_run(plan, config, variant, seed, {**(carried or {}), **overrides}, chosen)
                plan.rows.append(Row(config.table, variant, seed, run.name))
    return plan


def check_variants(tables: Sequence[ml_collections.ConfigDict], patterns: Sequence[str]) -> None:
    """Raises `InputError` where a pattern names a row of none of the tables."""
    unknown = [p for p in patterns if not any(fnmatch.filter(config.order, p) for config in tables)]
    if unknown:
        known = ", ".join(name for config in tables for name in config.order)
        raise InputError("--variants", f"no table has {unknown[0]!r}", f"choose from {known}")


def plan_run(flags: Mapping[str, str], seed: str, steps: int, checkpoints: int) -> list[Run]:
    """The run of the paper's network with `flags` changed, after the pre-training that it may need."""
    config = make_table("search", "", "", {"trial": make_run("trial", {})})
    plan = Plan([], {})
    _add_run(plan, config, "trial", seed, flags, PlanOptions(steps=steps, checkpoints=checkpoints, seeds=(seed,)))
    return list(plan.runs.values())


def parse_overrides(words: Iterable[str]) -> dict[str, str]:
    """``["batch=4", "learning_rate=1e-3"]`` -> a dict; raises `InputError` for what is not of that form."""
    overrides: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise InputError("--set", f"{word!r} is not name=value", "write for example --set=backbone=small_cnn")
        overrides[name] = value
    return overrides


def _variants(config: ml_collections.ConfigDict, patterns: Sequence[str]) -> list[str]:
    trained = [name for name in config.order if config.runs[name].trained]
    if not patterns:
        return [name for name in trained if config.runs[name].by_default]
    return [name for name in trained if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]


def _add_run(
    plan: Plan,
    config: ml_collections.ConfigDict,
    variant: str,
    seed: str,
    overrides: Mapping[str, Any],
    chosen: PlanOptions,
) -> Run:
    """Puts the run of a row into the plan, after those that it needs, unless another row has brought it there."""
    row = config.runs[variant]
    flags = {name: _word(value) for name, value in {**config.common, **row.flags, **overrides, "seed": seed}.items()}
    if flags.get("cell") == "indrnn":
        flags.setdefault("recurrent_limit_frames", flags["sequence_length"])
    rnn_from = cnn_from = stage_from = ""
    if row.rnn_from:
        # Of the same seed, so that seeds stay independent of each other; its best checkpoint, see run_steps.py.
        rnn_from = _add_run(plan, config, row.rnn_from, seed, overrides, chosen).name
    if row.stage_from:
        stage_from = _add_run(plan, config, row.stage_from, seed, overrides, chosen).name
    pretrained = pretraining.get_config()
    if (
        flags["backbone"] in pretrained.runs
        and not {"cnn_from", "weights"} & set(flags)
        and config.table != "pretraining"
    ):
        # One for all seeds: published weights are the same for all, too.
        own = {name: value for name, value in overrides.items() if name in ("colour_order", "preprocess")}
        cnn_from = _add_run(plan, pretrained, flags["backbone"], chosen.seeds[0], own, chosen).name
    frames = int(flags.get("batch", 2)) * int(flags.get("sequence_length", 80))
    steps = max(1, math.ceil(chosen.steps * chosen.budget * FRAMES_A_STEP * row.share / frames))
    tested = config.table != "pretraining" and row.tested
    checkpoint_steps = math.ceil(steps / chosen.checkpoints) if tested else steps
    content = [flags, steps, checkpoint_steps, rnn_from, cnn_from, *([stage_from] if stage_from else [])]
    name = f"{_readable(flags)}-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]}"
    run = Run(name, flags, steps, checkpoint_steps, rnn_from, cnn_from, tested, stage_from)
    return plan.runs.setdefault(name, run)


def _word(value: Any) -> str:
    """A flag's value as it stands on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _readable(flags: Mapping[str, str]) -> str:
    """A name that people can tell apart: backbone, cell, attention, length, case and seed."""
    words = [flags["backbone"], flags.get("cell", "gru")]
    if flags.get("attention_length", "0") != "0" and flags.get("cell") != "none":
        words.append(f"attention{flags['attention_length']}")
    trained = f"stage-{flags['stage']}" if flags.get("stage") else f"case{flags['case']}"
    words += [f"length{flags['sequence_length']}", trained, f"seed{flags['seed']}"]
    return "-".join(words)
