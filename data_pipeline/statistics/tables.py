"""The thesis's tables 3.2 and 3.5 to 3.8 of any database, and what else should be looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_pipeline.partition import PARTITIONS
from data_pipeline.partition_entries import CLASSES
from data_pipeline.statistics.collect import DROPPED, Database
from tfrecords.labels import ORIGINAL_LABELS

TOTAL = "total"


def frame_rates(database: Database) -> pd.DataFrame:
    """Table 3.2: how many source videos have which frame rate; parts cut from one source count once."""
    known = database.clips.dropna(subset=["frame_rate"]).drop_duplicates("source")
    rates = known["frame_rate"].astype(float).round(2)
    counts = rates.groupby(rates).size().sort_values(ascending=False, kind="stable")
    return pd.DataFrame({"frames_per_second": [f"{rate:g}" for rate in counts.index], "videos": counts.to_numpy()})


def valence_classes(database: Database) -> pd.DataFrame:
    """Table 3.5: entries by valence class and part."""
    return _by_part(_labelled(database), "valence_class", list(CLASSES))


def frames_by_part(database: Database) -> pd.DataFrame:
    """Table 3.6: labelled frames and entries by part, with their shares in per cent."""
    labelled = _labelled(database)
    rows = []
    for part in _parts(labelled):
        own = labelled if part == TOTAL else labelled[labelled["partition"] == part]
        rows.append({"part": part, "entries": len(own), "frames": int(own["labelled"].sum())})
    table = pd.DataFrame(rows, columns=["part", "entries", "frames"])
    for name in ("entries", "frames"):
        table[f"{name}_percent"] = (100 * table[name] / max(table[name].max(), 1)).round(2)
    return table


def genders(database: Database) -> pd.DataFrame:
    """Table 3.7: entries by gender and part."""
    labelled = _labelled(database)
    others = sorted(set(labelled["gender"]) - {"male", "female", ""})
    table = _by_part(labelled, "gender", ["male", "female", *others, ""])
    return table.rename(columns={"": "not told"})


def attributes(database: Database) -> pd.DataFrame:
    """Table 3.8: what the database is in a few lines.

    Lengths are of clips, or of their sources where there are none yet, in minutes.
    """
    entries, clips = database.entries, database.clips
    frames = entries.drop_duplicates("clip").set_index("clip")["frames"]
    minutes = (frames / clips.set_index("clip")["rate"] / 60).dropna()
    minutes = minutes if len(minutes) else clips["seconds"].dropna() / 60
    formats = sorted(set(clips["format"]) - {""})
    rates = sorted(clips["rate"].dropna().astype(float).unique())
    lengths = f"{minutes.min():.2f}-{minutes.max():.2f} min" if len(minutes) else "not known yet"
    labelled = [len(own[0]) for own in database.labels.values()]
    told = [
        ("format", ", ".join(formats) or "not known yet"),
        ("length of videos", lengths),
        ("frames per second", ", ".join(f"{rate:g}" for rate in rates) or "not known yet"),
        ("clips", f"{len(clips):,}"),
        ("entries (people in clips)", f"{len(entries):,}"),
        ("labelled entries", f"{len(labelled):,}"),
        ("labelled frames", f"{sum(labelled):,}"),
        ("subjects", f"{entries.loc[entries['subject'] != '', 'subject'].nunique():,}"),
        ("synthetic", "yes" if database.facts.get("synthetic") else "no"),
    ]
    return pd.DataFrame(told, columns=["attribute", "description"])


def demographics(database: Database) -> pd.DataFrame:
    """Subjects (each counted once a part) by gender, age and ethnicity as the manifest tells them, and part."""
    rows = []
    labelled = _labelled(database)
    people = labelled[labelled["subject"] != ""]
    for column in ("gender", "age", "ethnicity"):
        distinct = people.drop_duplicates(["subject", "partition", column])
        table = _by_part(distinct, column, sorted(set(distinct[column]) - {""}) + [""])
        melted = table.set_index("part").T
        for word, counts in melted.iterrows():
            rows.append({"what": column, "value": word or "not told", **counts.to_dict()})
    return pd.DataFrame(rows)


def further_labels(database: Database) -> pd.DataFrame:
    """Labels beside valence and arousal: frames that have each and their mean, by part; no row where there are none."""
    further = database.columns[~database.columns["label"].isin(ORIGINAL_LABELS)]
    part = dict(zip(database.entries["entry"], database.entries["partition"], strict=True))
    parts = further["entry"].map(part)
    rows = []
    for label in sorted(set(further["label"])):
        row: dict[str, object] = {"label": label}
        for name in [one for one in PARTITIONS if (parts == one).any()] + [TOTAL]:
            own = further[(further["label"] == label) & ((parts == name) | (name == TOTAL))]
            frames = int(own["frames"].sum())
            row |= {f"{name}_frames": frames, f"{name}_mean": round(own["sum"].sum() / frames, 4) if frames else np.nan}
        rows.append(row)
    return pd.DataFrame(rows)


def dropped_by_entry(database: Database) -> pd.DataFrame:
    """Frames of each entry, and those that have no label by reason.

    These are ``no_face`` (nobody was detected), ``not_chosen`` (somebody, but not this person), `DROPPED` (the person's
    face was found and ``labels/ENTRY.json`` says why there is no label) and ``not_annotated`` (the rest).
    """
    entries = database.entries.dropna(subset=["frames"])
    table = entries[["entry", "partition", "frames", "labelled"]].copy()
    table["no_face"] = entries["frames"] - entries["with_face"]
    table["not_chosen"] = entries["with_face"] - entries["chosen"]
    table[list(DROPPED)] = entries[list(DROPPED)]
    labelled, dropped = entries["labelled"].fillna(0), entries[list(DROPPED)].sum(axis=1)
    table["not_annotated"] = entries["chosen"] - labelled - dropped
    table["dropped_percent"] = (100 * (1 - labelled / entries["frames"].clip(lower=1))).round(2)
    counts = ["frames", "labelled", "no_face", "not_chosen", *DROPPED, "not_annotated"]
    table[counts] = table[counts].astype("Int64")
    return table.reset_index(drop=True)


def dropped_frames(database: Database) -> pd.DataFrame:
    """The sums of `dropped_by_entry` by part, what is unknown of an entry counted as 0; a row of it all at the end."""
    each = dropped_by_entry(database)
    counts = [column for column in each.columns if column not in ("entry", "partition", "dropped_percent")]
    rows = []
    for part in _parts(each):
        own = each if part == TOTAL else each[each["partition"] == part]
        sums = {name: int(own[name].sum()) for name in counts}
        percent = round(100 * (1 - sums["labelled"] / max(sums["frames"], 1)), 2)
        rows.append({"part": part, "entries": len(own), **sums, "dropped_percent": percent})
    return pd.DataFrame(rows)


def thin_regions(labels: np.ndarray, bins: int, thin_share: float) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Squares of the plane with few frames.

    Args:
      labels: float64 (frames, 2).
      bins: squares a side.
      thin_share: a square is thin below this share of all frames.

    Returns:
      A row a thin square, the frames a square int (valence bins, arousal bins), and the number that it is thin below.
    """
    counts = np.histogram2d(labels[:, 0], labels[:, 1], bins=bins, range=((-1, 1), (-1, 1)))[0].astype(int)
    thin = int(np.ceil(thin_share * len(labels)))
    edges = np.linspace(-1, 1, bins + 1).round(4)
    rows = [
        {
            "valence_from": edges[column],
            "valence_to": edges[column + 1],
            "arousal_from": edges[row],
            "arousal_to": edges[row + 1],
            "frames": counts[column, row],
        }
        for column, row in np.argwhere(counts < thin)
    ]
    columns = ["valence_from", "valence_to", "arousal_from", "arousal_to", "frames"]
    return pd.DataFrame(rows, columns=columns), counts, thin


def _labelled(database: Database) -> pd.DataFrame:
    return database.entries[database.entries["entry"].isin(list(database.labels))]


def _parts(entries: pd.DataFrame) -> list[str]:
    return [part for part in PARTITIONS if (entries["partition"] == part).any()] + [TOTAL]


def _by_part(entries: pd.DataFrame, column: str, words: list[str]) -> pd.DataFrame:
    """A row a part and the total, a column a word of `column`, and the total."""
    rows = []
    for part in _parts(entries):
        own = entries if part == TOTAL else entries[entries["partition"] == part]
        counts = own[column].value_counts()
        rows.append({"part": part, **{word: int(counts.get(word, 0)) for word in words}, TOTAL: len(own)})
    return pd.DataFrame(rows)
