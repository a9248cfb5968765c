"""What the partition can be told."""

from __future__ import annotations

import dataclasses

from tfrecords.options import option

CRITERIA = ("videos", "frames", "gender", "class", "valence", "arousal")


@dataclasses.dataclass(frozen=True)
class PartitionOptions:
    """How large the parts shall be, what is weighed and how, what must hold, and how hard is searched.

    The thesis gives its valence classes without thresholds; those here are ours.
    """

    shares: tuple[str, ...] = option(
        ("0.64", "0.16", "0.20"), "shares of train, validation and test (thesis: 64/16/20)"
    )
    weights: tuple[str, ...] = option((), f"CRITERION=WEIGHT (default 1) of {', '.join(CRITERIA)}")
    limits: tuple[str, ...] = option(
        (), "CRITERION=DISTANCE: refuse a partition further from its target; distances are shares from 0 to 1"
    )
    fixed: str = option(
        "", "CSV with the columns entry and partition: these entries' parts are kept, e.g. official ones"
    )
    neutral_band: float = option(0.1, "a frame is neutral where |valence| is at most this", at_least=0, at_most=1)
    neutral_share: float = option(
        0.75, "an entry is neutral where more than this share of its frames are", at_least=0, at_most=1
    )
    main_share: float = option(
        0.75, "an entry is mainly positive or negative from this share of its other frames on", at_least=0.5, at_most=1
    )
    histogram_bins: int = option(10, "bins of the valence and arousal histograms over [-1, 1]", at_least=1)
    exact_groups: int = option(400, "most groups of people that the mixed-integer program takes", at_least=0)
    nodes: int = option(60, "nodes of the mixed-integer program's search tree", at_least=1)
    kicks: int = option(150, "restarts of the local search from a disturbed best partition", at_least=0)
    partition_seed: int = option(0, "seed of the local search")
