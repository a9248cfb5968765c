"""The partition against the thesis's start, on tables with the thesis's counts: ``python -m benchmarks.partition``.

A table has 159 entries of 135 people (73 female, 62 male; 80 and 79 entries), 43 mainly positive, 58 mainly negative,
46 both and 12 neutral, 756,424 frames in lengths of 0.10 to 15.04 minutes (SPEC, partition). What the thesis does not
tell is drawn by the seed: who is in which clip (12 clips of two people), lengths (log-normal), each entry's class and
labels. The *start* is the thesis's class split (Table 3.5), otherwise at random: among the partitions with exactly
those counts and no person in two parts, the one that an integer program with random costs picks. A *random split*
shuffles the groups of people and cuts them by the shares. The partition then is asked to be at most as far from every
target as the start. Last, a table of many groups is partitioned. The last line is one JSON object.
"""

from __future__ import annotations

import dataclasses
import json
import time

import numpy as np
import scipy.optimize
import scipy.sparse

from data_pipeline.partition_criteria import Criterion, make_criteria
from data_pipeline.partition_entries import CLASSES, LabelledEntry, groups_of_people
from data_pipeline.partition_options import PartitionOptions
from data_pipeline.partition_solver import SLACK, assign_groups
from tfrecords import options
from tfrecords.options import option

SHARES = (0.64, 0.16, 0.20)
# Table 3.5: train, validation, test; in the order of CLASSES.
START = ((27, 7, 9), (38, 9, 11), (29, 8, 9), (9, 1, 2))
FRAMES = 756_424
SHORTEST, LONGEST = 180, 27_072  # 0.10 and 15.04 minutes at 30 FPS
PEOPLE = {"female": (73, 80), "male": (62, 79)}  # people, entries
TWO_PERSON_CLIPS = 12
BINS = 10


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """What is compared."""

    seeds: int = option(10, "tables with the thesis's counts", at_least=0)
    large_groups: int = option(20000, "groups of people of the large table; 0 for none", at_least=0)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One table: distances by criterion of the start, a random split by subject, and the program's partition."""

    start: dict[str, float]
    random: dict[str, float]
    reached: dict[str, float]
    seconds: float
    groups: int

    def kept(self) -> bool:
        """Whether the program is at most as far from every target as the start."""
        return all(self.reached[name] <= self.start[name] + SLACK for name in self.start)


def draw_table(seed: int) -> tuple[list[LabelledEntry], list[tuple[str, ...]]]:
    """159 entries with the thesis's counts, and each clip's people."""
    rng = np.random.default_rng(seed)
    people = []  # one an entry: (subject, gender)
    for gender, (persons, entries) in PEOPLE.items():
        numbers = np.concatenate([np.arange(persons), rng.integers(0, persons, entries - persons)])
        people += [(f"{gender[0]}{number:03d}", gender) for number in numbers]
    people = [people[index] for index in rng.permutation(len(people))]
    clips = _share_clips([subject for subject, _ in people], rng)
    lengths = _draw_lengths(len(people), clips, rng)
    classes = rng.permutation(np.repeat(CLASSES, np.sum(START, axis=1)))
    entries = []
    for index, ((subject, gender), frames, name) in enumerate(zip(people, lengths, classes, strict=True)):
        histograms = _draw_histograms(str(name), int(frames), rng)
        entry = LabelledEntry(
            f"e{index:03d}", f"c{index}", subject, gender, int(frames), 0.0, 0.0, str(name), *histograms
        )
        entries.append(entry)
    return entries, [tuple(people[index][0] for index in clip) for clip in clips]


def thesis_start(
    criteria: list[Criterion], entries: list[LabelledEntry], groups: list[list[int]], seed: int
) -> np.ndarray:
    """A random part a group, so that each part has Table 3.5's entries of every class."""
    rng = np.random.default_rng([seed, 1])
    counts = np.array(
        [[sum(entries[index].valence_class == name for index in group) for group in groups] for name in CLASSES]
    )
    one_each = scipy.sparse.kron(scipy.sparse.eye(len(groups)), np.ones((1, 3)))
    of_class = scipy.sparse.kron(counts, scipy.sparse.eye(3))
    wanted = np.array(START).ravel()
    solution = scipy.optimize.milp(
        rng.random(3 * len(groups)),
        constraints=[
            scipy.optimize.LinearConstraint(one_each, 1, 1),
            scipy.optimize.LinearConstraint(of_class, wanted, wanted),
        ],
        integrality=np.ones(3 * len(groups)),
        bounds=scipy.optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.1},
    )
    return solution.x.reshape(-1, 3).argmax(axis=1)


def random_split(groups: int, seed: int) -> np.ndarray:
    """The groups shuffled and cut by the shares."""
    order = np.random.default_rng([seed, 2]).permutation(groups)
    parts = np.zeros(groups, int)
    cuts = (np.cumsum(SHARES) * groups).round().astype(int)
    parts[order[cuts[0] : cuts[1]]] = 1
    parts[order[cuts[1] :]] = 2
    return parts


def compare(seed: int) -> Comparison:
    """One table's start, random split and partition."""
    entries, together = draw_table(seed)
    groups = groups_of_people([entry.subject for entry in entries], together)
    criteria = [criterion.grouped(groups) for criterion in make_criteria(entries, SHARES)]

    def distances(parts: np.ndarray) -> dict[str, float]:
        return {criterion.name: criterion.distance(parts) for criterion in criteria}

    start = distances(thesis_start(criteria, entries, groups, seed))
    begun = time.perf_counter()
    found = assign_groups(criteria, SHARES, limits=start)
    seconds = time.perf_counter() - begun
    return Comparison(start, distances(random_split(len(groups), seed)), distances(found.parts), seconds, len(groups))


def partition_large(groups: int) -> tuple[dict[str, float], dict[str, float], float]:
    """Distances of a random split and of the partition of a table of `groups` people, and its seconds."""
    rng = np.random.default_rng(0)
    frames = np.clip(rng.lognormal(8.0, 1.0, groups), SHORTEST, LONGEST).astype(int)
    classes = rng.choice(CLASSES, groups, p=np.sum(START, axis=1) / np.sum(START))
    entries = [
        LabelledEntry(
            f"e{index}",
            f"c{index}",
            f"s{index}",
            str(rng.choice(("female", "male"))),
            int(frames[index]),
            0.0,
            0.0,
            str(classes[index]),
            *_draw_histograms(str(classes[index]), int(frames[index]), rng),
        )
        for index in range(groups)
    ]
    criteria = make_criteria(entries, SHARES)
    begun = time.perf_counter()
    found = assign_groups(criteria, SHARES)
    seconds = time.perf_counter() - begun
    random = random_split(groups, 0)
    return (
        {criterion.name: criterion.distance(random) for criterion in criteria},
        {criterion.name: criterion.distance(found.parts) for criterion in criteria},
        seconds,
    )


def _share_clips(subjects: list[str], rng: np.random.Generator) -> list[list[int]]:
    """Entries by clip: the first ones in pairs of two different people, the others alone."""
    free, clips = list(range(len(subjects))), []
    while len(clips) < TWO_PERSON_CLIPS:
        one, other = rng.choice(free, 2, replace=False)
        if subjects[one] != subjects[other]:
            clips.append([int(one), int(other)])
            free = [index for index in free if index not in (one, other)]
    return clips + [[index] for index in free]


def _draw_lengths(entries: int, clips: list[list[int]], rng: np.random.Generator) -> np.ndarray:
    """Frames an entry: the shortest, the longest, and the thesis's sum; people of one clip have as many."""
    lengths = np.zeros(entries, int)
    alone = [clip[0] for clip in clips if len(clip) == 1]
    lengths[alone[0]], lengths[alone[1]] = SHORTEST, LONGEST
    others = [clip for clip in clips if clip[0] not in alone[:2]]
    sizes = np.array([len(clip) for clip in others])
    drawn = rng.lognormal(0.0, 1.0, len(others))
    left = FRAMES - SHORTEST - LONGEST
    for _ in range(50):
        drawn = np.clip(drawn * left / (drawn @ sizes), SHORTEST, LONGEST)
    for clip, frames in zip(others, np.floor(drawn).astype(int), strict=True):
        lengths[clip] = frames
    middle = sorted((clip[0] for clip in others if len(clip) == 1), key=lambda index: lengths[index])
    lengths[middle[len(middle) // 2]] += FRAMES - lengths.sum()
    return lengths


def _draw_histograms(name: str, frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Valence and arousal labels of one entry of a class, as frames a bin."""
    centre, spread = rng.uniform(0.2, 0.5), rng.uniform(0.1, 0.2)
    draws = {
        "positive": centre + spread * rng.standard_normal(400),
        "negative": -centre + spread * rng.standard_normal(400),
        "both": centre * rng.choice((-1, 1), 400) + spread * rng.standard_normal(400),
        "neutral": 0.05 * rng.standard_normal(400),
    }
    arousal = rng.uniform(0.0, 0.45) + rng.uniform(0.1, 0.25) * rng.standard_normal(400)
    shapes = [np.histogram(np.clip(values, -1, 1), BINS, (-1, 1))[0] for values in (draws[name], arousal)]
    valence, other = (rng.multinomial(frames, shape / shape.sum()) for shape in shapes)
    return valence, other


def main(argv: list[str]) -> int:
    chosen = options.from_flags(Benchmark)
    told = []
    print(f"{'seed':>4} {'criterion':>10} {'start':>9} {'random':>9} {'reached':>9}")
    for seed in range(1, chosen.seeds + 1):
        found = compare(seed)
        for name in found.start:
            print(f"{seed:>4} {name:>10} {found.start[name]:9.4f} {found.random[name]:9.4f} {found.reached[name]:9.4f}")
        print(
            f"     {found.groups} groups, {found.seconds:.1f} s, {'kept' if found.kept() else 'NOT KEPT'}", flush=True
        )
        told.append({"seed": seed, "kept": found.kept(), **dataclasses.asdict(found)})
    result: dict[str, object] = {"tables": told, "kept": all(table["kept"] for table in told)}
    if chosen.large_groups:
        random, reached, seconds = partition_large(chosen.large_groups)
        print(f"{chosen.large_groups} groups in {seconds:.1f} s")
        for name, distance in reached.items():
            print(f"     {name:>10} {'':>9} {random[name]:9.5f} {distance:9.5f}")
        result["large"] = {
            "groups": chosen.large_groups,
            "seconds": seconds,
            "random": random,
            "reached": reached,
            "method_from": PartitionOptions().exact_groups,
        }
    print(json.dumps(result))
    return 0 if result["kept"] else 1


if __name__ == "__main__":
    options.run_main(main, Benchmark)
