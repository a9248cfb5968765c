"""How records become sequences: the loader's options."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfrecords.errors import InputError
from tfrecords.options import option

# The original drops a sequence whose frames span this many times its length or more (SPEC, Loader).
GAP_FACTOR = 15.0
AUGMENTATIONS = ("flip", "colour", "crop", "erase")
FRAMES_MODES = ("all", "kept")
ON_CORRUPT = ("fatal", "skip")


@dataclasses.dataclass(frozen=True)
class LoaderOptions:
    """How training sequences are cut, chosen and changed; the seed is the training's."""

    loader: str = option(
        "windows",
        "windows: every labelled frame in every epoch, from random starts; original: the thesis's sequences, in its "
        "order, as float BGR",
        choices=("windows", "original"),
    )
    stride: int = option(
        0, "windows: records from one window's start to the next; 0 for the sequence's length", at_least=0
    )
    gap_factor: float = option(
        GAP_FACTOR,
        "frames that span this many times the sequence's length or more are no sequence: windows are split at their "
        "largest gap, original drops them",
    )
    balance: str = option(
        "none",
        "windows: draw them so that classes (the four quadrants) or values (10 x 10 squares) of the valence-arousal "
        "plane come equally often",
        choices=("none", "class", "value"),
    )
    augment: tuple[str, ...] = option((), f"windows: change sequences at random, any of {','.join(AUGMENTATIONS)}")
    on_corrupt: str = option("fatal", "what a damaged record does: end the run, or be left out and counted", ON_CORRUPT)


def check_loader(chosen: LoaderOptions, length: int) -> None:
    """Raises `InputError` where options contradict each other or would leave frames out."""
    if chosen.gap_factor <= 0:
        raise InputError("--gap_factor", f"it is {chosen.gap_factor:g}", "give a number above 0")
    if not 0 <= chosen.stride <= length:
        what = f"it is {chosen.stride}, and a stride above the sequence's {length} frames leaves frames out"
        raise InputError("--stride", what, f"give 1 to {length}, or 0 for {length}")
    unknown = [name for name in chosen.augment if name not in AUGMENTATIONS]
    if unknown:
        raise InputError("--augment", f"{unknown[0]!r} is none", f"choose from {', '.join(AUGMENTATIONS)}")
    if chosen.loader == "original":
        for name, value in (("stride", chosen.stride), ("augment", chosen.augment)):
            if value:
                raise InputError("--loader=original", f"the thesis's loader has no --{name}", "take one of them out")
        if chosen.balance != "none":
            raise InputError("--loader=original", "the thesis's loader has no --balance", "take one of them out")


def shaping(chosen: LoaderOptions) -> dict[str, Any]:
    """What shapes a training, by flag; a resumed run must have the same, while `on_corrupt` may differ."""
    return {name: value for name, value in dataclasses.asdict(chosen).items() if name != "on_corrupt"}
