"""The criteria, the program and the search, on tables whose answers are known."""

import itertools

import numpy as np
import pytest

from benchmarks.partition import (
    FRAMES,
    SHARES,
    START,
    compare,
    draw_table,
    partition_large,
    thesis_start,
)
from data_pipeline.partition_criteria import make_criteria
from data_pipeline.partition_entries import (
    CLASSES,
    LabelledEntry,
    count_bins,
    groups_of_people,
    people_words,
    valence_class,
)
from data_pipeline.partition_options import PartitionOptions
from data_pipeline.partition_solver import assign_groups


def _entry(number, frames=10, gender="", name="both", valence=(1, 0), arousal=(0, 1)):
    histograms = [np.array(shape) * frames // sum(shape) for shape in (valence, arousal)]
    return LabelledEntry(f"e{number}", f"c{number}", f"s{number}", gender, frames, 0.0, 0.0, name, *histograms)


def _weighted(criteria, parts):
    return sum(criterion.distance(np.array(parts)) for criterion in criteria)


def test_small_table_is_solved_to_the_best_of_all_partitions():
    rng = np.random.default_rng(5)
    entries = [
        _entry(n, int(rng.integers(5, 90)), rng.choice(["male", "female"]), rng.choice(CLASSES), (3, 1), (1, n + 1))
        for n in range(8)
    ]
    criteria = make_criteria(entries, SHARES)
    every = (parts for parts in itertools.product(range(3), repeat=8) if set(parts) == {0, 1, 2})
    best = min(_weighted(criteria, parts) for parts in every)
    found = assign_groups(criteria, SHARES)
    assert found.objective == pytest.approx(best, abs=1e-9) == pytest.approx(_weighted(criteria, found.parts))
    assert found.bound <= best + 1e-9


def test_distances_are_the_shares_that_lie_wrong():
    entries = [_entry(0, 30, "male", valence=(1, 0)), _entry(1, 10, "female", valence=(0, 1))]
    videos, frames, gender, classes, valence, arousal = make_criteria(entries, (0.5, 0.5, 0.0))
    apart, together = np.array([0, 1]), np.array([0, 0])
    assert videos.distance(apart) == classes.distance(apart) == 0
    assert videos.distance(together) == frames.distance(together) == 0.5
    assert frames.distance(apart) == pytest.approx(0.25)
    # One man alone, one woman alone: 1:1 in neither part; together it is.
    assert gender.distance(apart) == 0.5 * 2 / 2 and gender.distance(together) == 0
    # 40 frames, 3 to 1 over the bins: the first entry lacks 7.5 of its 30 in bin 2, the other 7.5 in bin 1.
    assert valence.distance(apart) == pytest.approx(0.5 * 4 * 7.5 / 40)
    assert arousal.distance(apart) == 0


def test_an_excess_of_one_gender_is_shared_out():
    entries = [_entry(n, gender="male" if n < 30 else "female") for n in range(40)]
    gender = next(c for c in make_criteria(entries, (0.5, 0.25, 0.25)) if c.name == "gender")
    parts = np.array([0] * 15 + [1] * 8 + [2] * 7 + [0] * 5 + [1] * 3 + [2] * 2)
    assert gender.target[0] * 40 == pytest.approx([10, 5, 5])
    assert gender.distance(parts) == pytest.approx(0)


def test_unknown_genders_are_no_criterion_and_others_spread_by_the_shares():
    assert "gender" not in [criterion.name for criterion in make_criteria([_entry(0), _entry(1)], SHARES)]
    entries = [_entry(n, gender="nonbinary") for n in range(4)]
    gender = next(c for c in make_criteria(entries, (0.5, 0.25, 0.25)) if c.name == "gender")
    assert gender.categories == ("male - female", "nonbinary")
    assert gender.distance(np.array([0, 0, 1, 2])) == 0
    assert gender.distance(np.array([0, 0, 0, 0])) == 0.5


@pytest.mark.parametrize(
    ("valence", "expected"),
    [
        ([0.05] * 76 + [0.5] * 24, "neutral"),
        ([0.05] * 75 + [0.5] * 25, "positive"),
        ([0.5] * 75 + [-0.5] * 25, "positive"),
        ([0.5] * 74 + [-0.5] * 26, "both"),
        ([0.5] * 25 + [-0.5] * 75, "negative"),
        ([0.1, -0.1], "neutral"),
    ],
)
def test_valence_classes_at_their_thresholds(valence, expected):
    assert valence_class(np.array(valence), PartitionOptions()) == expected


def test_histogram_holds_both_ends():
    assert count_bins(np.array([-1.0, -0.01, 0.0, 1.0]), 2).tolist() == [2, 2]


def test_people_words_are_not_guessed():
    assert people_words("male female", 2) == ["male", "female"]
    assert people_words("male", 2) == ["", ""]
    assert people_words("", 1) == [""] and people_words("f", 0) == ["f"]


def test_fixed_groups_and_closed_parts_are_obeyed_and_the_answer_repeats():
    criteria = make_criteria([_entry(n, 10 + n) for n in range(30)], (0.8, 0.2, 0.0))
    first, second = (assign_groups(criteria, (0.8, 0.2, 0.0), fixed={0: 2, 5: 1}) for _ in range(2))
    assert first.parts[0] == 2 and first.parts[5] == 1 and (first.parts == 2).sum() == 1
    assert first.parts.tolist() == second.parts.tolist()


def test_weight_moves_the_answer_and_a_limit_holds():
    entries = [_entry(n, frames) for n, frames in enumerate([100, 1, 1, 1, 1, 1, 1, 1, 1, 1])]
    criteria = make_criteria(entries, (0.5, 0.25, 0.25))
    videos = assign_groups(criteria, (0.5, 0.25, 0.25), weights={"frames": 0.0})
    assert criteria[0].distance(videos.parts) == pytest.approx(0.05)
    limited = assign_groups(criteria, (0.5, 0.25, 0.25), weights={"videos": 0.0}, limits={"videos": 0.06})
    assert limited.within_limits and criteria[0].distance(limited.parts) <= 0.06


def test_search_alone_comes_near_on_many_groups():
    rng = np.random.default_rng(1)
    entries = [
        _entry(n, int(rng.integers(10, 500)), str(rng.choice(["male", "female"])), str(rng.choice(CLASSES)))
        for n in range(1000)
    ]
    criteria = make_criteria(entries, SHARES)
    found = assign_groups(criteria, SHARES, options=PartitionOptions(exact_groups=100))
    assert found.method == "local search" and found.bound == 0
    assert max(criterion.distance(found.parts) for criterion in criteria) < 0.002


def test_table_has_the_thesiss_counts():
    entries, together = draw_table(4)
    assert len(entries) == 159 and sum(entry.frames for entry in entries) == FRAMES
    people = {(entry.subject, entry.gender) for entry in entries}
    assert sum(gender == "female" for _, gender in people) == 73 and len(people) == 135
    assert sum(entry.gender == "male" for entry in entries) == 79
    assert min(entry.frames for entry in entries) == 180 and max(entry.frames for entry in entries) == 27072
    groups = groups_of_people([entry.subject for entry in entries], together)
    parts = thesis_start(entries, groups, 4)
    classes = np.array([[sum(entries[i].valence_class == name for i in group) for group in groups] for name in CLASSES])
    assert tuple(tuple(row) for row in (classes @ np.eye(3)[parts]).astype(int)) == START


def _check_no_criterion_is_further_than_the_start(seed):
    found = compare(seed)
    assert found.met, (found.limits, found.reached)
    assert list(found.reached) == ["videos", "frames", "gender", "class", "valence", "arousal"]
    assert sum(found.reached.values()) < 0.5 * sum(found.limits.values())
    assert sum(found.reached.values()) < 0.5 * sum(found.random.values())
    assert found.seconds < 60


def test_partition_is_at_most_as_far_as_the_thesiss_start_on_every_criterion():
    _check_no_criterion_is_further_than_the_start(1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 11))
def test_nine_more_partitions_are_at_most_as_far_as_the_thesiss_start(seed):
    _check_no_criterion_is_further_than_the_start(seed)


@pytest.mark.slow
def test_twenty_thousand_groups_are_within_a_thousandth_by_local_search():
    found = partition_large(20_000)
    assert found.method == "local search" and found.groups == 20_000
    assert found.met and max(found.reached.values()) < 0.001
    assert not all(distance < 0.001 for distance in found.random.values())
    assert found.seconds < 120


def test_limits_that_many_groups_cannot_keep_are_reported():
    entries = [_entry(n, 30 if n else 10_000) for n in range(300)]
    criteria = make_criteria(entries, SHARES)
    few = PartitionOptions(exact_groups=100)
    # The first entry holds 10,000 of 18,970 frames, 53 %: train takes it and what lacks.
    kept = assign_groups(criteria, SHARES, limits={"frames": 0.01}, options=few)
    assert kept.within_limits and kept.method == "local search"
    large = make_criteria([_entry(n, 30 if n else 30_000) for n in range(300)], SHARES)
    broken = assign_groups(large, SHARES, limits={"frames": 0.1}, options=few)
    # 30,000 of 38,970 frames are 77 %, at least 13 % more than the largest part shall have.
    assert not broken.within_limits and not broken.proven_infeasible
    assert large[1].distance(broken.parts) == pytest.approx(30_000 / 38_970 - 0.64, abs=0.001)
