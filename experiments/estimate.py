"""How much a plan computes: counted operations of its networks times the frames that they see; and how long that takes.

How fast a device is, is either told (``--tflops``) or measured with the plan's own networks (``--calibrate``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import ml_collections

from experiments.plan import FRAMES_A_STEP, Plan, Run
from experiments.published import recorded_runs
from experiments.run_steps import TESTED
from tfrecords.workspace import Workspace, read_csv


@dataclasses.dataclass(frozen=True)
class Frames:
    """Labelled frames of the database's parts."""

    train: int
    validation: int
    test: int


# Table 3.6.
THESIS_FRAMES = Frames(527_056, 94_223, 135_145)


@dataclasses.dataclass(frozen=True)
class Work:
    """Operations of a run.

    `features` are those of a frozen CNN's, computed once for all runs that share it and put down to the first of them;
    `to_recorded` is what training up to the author's last tested checkpoint takes, None where there is none.
    """

    run: Run
    training: float
    features: float
    evaluation: float
    test: float
    recorded_step: int | None = None
    to_recorded: float | None = None

    @property
    def total(self) -> float:
        return self.training + self.features + self.evaluation + self.test


def database_frames(workspace: str) -> Frames:
    """Frames by part from the workspace's ``partition.csv``; without a workspace, the thesis's database."""
    if not workspace:
        return THESIS_FRAMES
    counts = dict.fromkeys(("train", "validation", "test"), 0)
    for row in read_csv(Workspace(Path(workspace)).partition, ("partition", "frames")):
        counts[row["partition"]] += int(row["frames"])
    return Frames(**counts)


def network_kind(run: Run) -> tuple[tuple[str, str], ...]:
    """What of a run's flags decides how much a frame costs; runs of one kind cost the same."""
    names = ("backbone", "cell", "layers", "units", "attention_length", "fc", "landmarks_68", "case", "cache_features")
    return tuple((name, run.flags[name]) for name in names if name in run.flags)


def count_work(
    plan: Plan, configs: Iterable[ml_collections.ConfigDict], frames: Frames, progress: Callable[[str], None] = print
) -> list[Work]:
    """The work of every run of the plan; building each kind of network to count it takes some seconds."""
    from experiments.flops import FrameFlops, frame_flops

    recorded = _recorded_steps(plan, configs)
    counted: dict[tuple[tuple[str, str], ...], FrameFlops] = {}
    with_features: set[tuple[str | None, ...]] = set()
    works = []
    for run in plan.runs.values():
        kind = network_kind(run)
        if kind not in counted:
            progress(f"counting {run.name}")
            counted[kind] = frame_flops(run.flags)
        flops = counted[kind]
        cached = run.flags.get("cache_features") == "true"
        cnn = (run.flags["backbone"], run.cnn_from, run.flags.get("weights"), run.flags.get("cnn_from"))
        first = cached and cnn not in with_features
        with_features |= {cnn} if cached else set()
        frames_a_step = int(run.flags["batch"]) * int(run.flags["sequence_length"])
        a_frame = flops.rest_training + (0 if cached else flops.cnn_training)
        forward = flops.cnn_forward + flops.rest_forward
        checkpoints = -(-run.steps // run.checkpoint_steps)
        step = recorded.get(run.name)
        works.append(
            Work(
                run,
                training=run.steps * frames_a_step * a_frame,
                features=frames.train * flops.cnn_forward if first else 0,
                evaluation=checkpoints * frames.validation * forward if run.tested else 0,
                test=len(TESTED.split(",")) * frames.test * forward if run.tested else 0,
                recorded_step=step,
                to_recorded=None if step is None else step * frames_a_step * a_frame,
            )
        )
    return works


def _recorded_steps(plan: Plan, configs: Iterable[ml_collections.ConfigDict]) -> dict[str, int]:
    """Run -> the highest step of which the author recorded a test of a run like it."""
    by_table = {config.table: config for config in configs}
    steps: dict[str, int] = {}
    for row in plan.rows:
        recorded = by_table[row.table].runs[row.variant].recorded
        if recorded:
            steps[row.run] = max(steps.get(row.run, 0), *recorded_runs()[recorded])
    return steps


def hours(work: Work, rates: Mapping[tuple[tuple[str, str], ...], float] | float) -> float:
    """Hours of one device for a run; `rates` are operations a second, one for all or by `network_kind`."""
    rate = rates if isinstance(rates, float) else rates[network_kind(work.run)]
    return work.total / rate / 3600


def longest_chain(works: Iterable[Work], own_hours: Mapping[str, float]) -> float:
    """Hours that no number of devices can go below: a run waits for those that it starts from."""
    ends: dict[str, float] = {}
    for work in works:
        ends[work.run.name] = own_hours[work.run.name] + max((ends[need] for need in work.run.needs), default=0.0)
    return max(ends.values(), default=0.0)


def format_estimate(works: list[Work], frames: Frames, rates: object, devices: int) -> str:
    """The plan with its estimate, as text; `rates` None: operations only."""
    lines = [
        f"{frames.train:,} / {frames.validation:,} / {frames.test:,} frames for training / validation / test; "
        f"{FRAMES_A_STEP} frames are a step of the thesis's",
        f"{'run':<62} {'steps':>9} {'train':>9} {'evaluate':>9} {'hours':>8} {'recorded':>9}",
        f"{'':<62} {'':>9} {'PFLOP':>9} {'PFLOP':>9} {'':>8} {'step':>9}",
    ]
    own_hours = {work.run.name: hours(work, rates) if rates else 0.0 for work in works}  # type: ignore[arg-type]
    for work in works:
        told = f"{own_hours[work.run.name]:8.2f}" if rates else f"{'':>8}"
        train, evaluate = (work.training + work.features) / 1e15, (work.evaluation + work.test) / 1e15
        lines.append(
            f"{work.run.name:<62} {work.run.steps:>9,} {train:>9.3g} {evaluate:>9.3g} {told} "
            f"{'' if work.recorded_step is None else format(work.recorded_step, ','):>9}"
        )
        if work.run.needs:
            lines.append(f"    after {', '.join(work.run.needs)}")
    total = sum(work.total for work in works)
    lines.append(f"{len(works)} runs, {total / 1e15:,.4g} PFLOP")
    if rates:
        summed, chain = sum(own_hours.values()), longest_chain(works, own_hours)
        at_least = max(chain, summed / devices)
        lines.append(f"{summed:,.2f} device hours; on {devices} at once {at_least:,.2f} hours or more")
        recorded = [work for work in works if work.to_recorded is not None]
        part = sum(own_hours[work.run.name] * (work.to_recorded or 0) / work.total for work in recorded)
        if recorded:
            words = "of them, training up to the last checkpoint that the author tested of each"
            lines.append(f"{words}: {part:,.2f} device hours ({len(recorded)} runs)")
    else:
        lines.append("for hours, tell how fast your device is (--tflops=N, sustained) or measure it (--calibrate)")
    return "\n".join(lines)
