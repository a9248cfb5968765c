"""The report's page from a few made-up numbers, whole and half-finished."""

import copy
import html
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.demo_report import format_table, write_report
from tfrecords.crops import encode_jpeg, write_crops
from tfrecords.workspace import Workspace, write_csv, write_json, write_text

RESULTS: dict[str, Any] = {
    "synthetic": True,
    "notice": "Made up <b>here</b> & now.",
    "seed": 7,
    "versions": {"python": "3.11.9", "tensorflow": "2.21.0", "affwildnet": "0.1.0"},
    "database": {
        "clips": 78,
        "entries": 80,
        "subjects": 79,
        "detected_share": 0.9981,
        "right_face_share": 0.9872,
        "partitions": {
            "train": {"entries": 51, "subjects": 50, "frames": 14321},
            "validation": {"entries": 13, "subjects": 13, "frames": 3456},
            "test": {"entries": 16, "subjects": 16, "frames": 4567},
        },
        "awaiting_annotation": 2,
        "failed": ["clip&4: cut off"],
    },
    "test": {
        "valence": {"ccc": 0.7123, "mse": 0.0347, "step": 320},
        "arousal": {"ccc": 0.4321, "mse": 0.0456, "step": 280},
    },
    "controls": {
        "constant": {"valence": {"ccc": 0.0, "mse": 0.2111}, "arousal": {"ccc": 0.0, "mse": 0.1999}},
        "shuffled_labels": {"valence": {"ccc": -0.0567, "mse": 0.2222}, "arousal": {"ccc": 0.1567, "mse": 0.2333}},
    },
    "stages": {"demo_faces": 60.1, "probe": 1.2, "train_cnn": 123.4},
    "wall_seconds": 412.0,
    "targets": {"valence": 0.6, "arousal": 0.5, "control": 0.1},
}
NUMBERS = ["0.712", "0.035", "0.432", "0.046", "0.211", "0.200", "-0.057", "0.222", "0.157", "0.233"]


class Page(HTMLParser):
    """What a page's tags ask for, and how they nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.raw = path.read_text(encoding="utf-8")
        self.feed(self.raw)
        self.text = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", self.raw)).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def pictures(self) -> list[str]:
        return [attributes["alt"] or "" for tag, attributes in self.tags if tag == "img"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo's folder with everything of it, small, one subject named with &."""
    demo = tmp_path_factory.mktemp("demo")
    write_json(demo / "results.json", RESULTS)
    workspace = Workspace(demo / "workspace")
    random = np.random.default_rng(1)
    rows = []
    for number, part in enumerate(("train", "train", "validation", "test")):
        entry, clip = f"e&{number}", f"c{number}"
        rows.append({"entry": entry, "clip": clip, "subject": f"s&{number}", "partition": part, "frames": 40})
        lines = [f"{frame} {random.integers(-900, 900)} {random.integers(-900, 900)}" for frame in range(1, 41)]
        write_text(workspace.labels(entry), "\n".join(lines) + "\n")
        write_csv(workspace.faces(entry), ("frame", "member"), [{"frame": 1, "member": "00001.jpg"}])
        (workspace.root / "crops").mkdir(exist_ok=True)
        with write_crops(workspace.crops(clip)) as write:
            write("00001.jpg", encode_jpeg(np.full((30, 20, 3), 40 * number, np.uint8), 90))
        write_json(workspace.probe(clip), {"frame_rate": 25.0 + number, "seconds": 7.5})
    write_csv(workspace.partition, ("entry", "clip", "subject", "partition", "frames"), rows)
    _write_model(demo, random)
    (demo / "predictions").mkdir()
    (demo / "predictions" / "clip.png").write_bytes(encode_jpeg(np.zeros((4, 4, 3), np.uint8), 50))
    write_report(demo)
    return demo


def _write_model(demo: Path, random: np.random.Generator) -> None:
    import tensorflow as tf

    for name in ("cnn", "model"):
        with tf.summary.create_file_writer(str(demo / name / "events" / "train")).as_default():
            for step in range(1, 61):
                for suffix in ("", "_valence", "_arousal"):
                    tf.summary.scalar(f"losses/CCC_loss{suffix}", 1 / step, step=step)
    evaluations = [{"step": step, "ccc_valence": step / 400, "ccc_arousal": 1 - step / 400} for step in (80, 160, 320)]
    write_csv(demo / "model" / "evaluations.csv", list(evaluations[0]), evaluations)
    write_json(demo / "model" / "best.json", {"valence": {"step": 320}, "arousal": {"step": 80}, "total": {"step": 80}})
    columns = ("frame", "valence", "valence_label", "arousal", "arousal_label")
    for which in ("valence", "arousal"):
        for entry in ("e&3", "unknown"):
            tested = [
                dict(zip(columns, [frame, *random.uniform(-1, 1, 4)], strict=True)) for frame in [*range(9), 30, 31]
            ]
            write_csv(demo / "model" / "test" / which / f"{entry}.csv", columns, tested)


def test_the_page_needs_nothing_but_itself(demo: Path) -> None:
    page = Page(demo / "report.html")
    assert not page.open
    assert not re.search(r"https?://|url\(|@import", page.raw)
    for tag, attributes in page.tags:
        assert tag not in ("link", "script", "iframe", "object", "embed")
        assert not {"href", "srcset", "background"} & set(attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
    assert page.raw.startswith("<!DOCTYPE html>")


def test_the_page_holds_the_results(demo: Path) -> None:
    text = Page(demo / "report.html").text
    assert "SYNTHETIC" in text and "no people" in text
    told = ["78 clips", "80 entries", "79 subjects", "99.8 %", "98.7 %", "14,321", "3,456", "4,567", "412", "2.21.0"]
    for number in [*NUMBERS, *told, "step 320", "step 280", "≥ 0.60", "≥ 0.50", "0 ± 0.10", "make demo SEED=7"]:
        assert number in text
    assert "Missing" not in text and "No subject is in two parts" in text


def test_every_figure_is_there_and_told_in_words(demo: Path) -> None:
    alts = Page(demo / "report.html").pictures()
    assert all(alts)
    figures = [alt for alt in alts if not alt.startswith("Synthetic face")]
    assert len(alts) - len(figures) == 4
    assert len(figures) == 4 + 3 + 2 + 2 + 1 + 1
    assert "Validation CCC by step: best valence 0.800 at step 320; best arousal 0.800 at step 80." in figures
    assert "Seconds a stage: demo_faces 60.1, probe 1.2, train_cnn 123.4." in figures


def test_text_is_escaped(demo: Path) -> None:
    raw = (demo / "report.html").read_text(encoding="utf-8")
    assert "Made up &lt;b&gt;here&lt;/b&gt; &amp; now." in raw
    assert "s&amp;3" in raw and "clip&amp;4: cut off" in raw
    assert not re.search(r"&(?!amp;|lt;|gt;|#\d+;|quot;)", raw)


def test_the_same_inputs_give_the_same_page(demo: Path) -> None:
    first = (demo / "report.html").read_bytes()
    assert write_report(demo) == demo / "report.html"
    assert (demo / "report.html").read_bytes() == first


def test_an_empty_run_is_said_to_be_incomplete(tmp_path: Path) -> None:
    text = Page(write_report(tmp_path)).text
    assert "SYNTHETIC" in text and "This run is not complete" in text
    for what in ("results.json has no “test”", "no entry has both labels", "no source video", "no subject has a crop"):
        assert what in text
    for what in (
        "cnn/events/train",
        "model/events/train",
        "model/evaluations.csv",
        "model/test/valence",
        "predictions/",
    ):
        assert what in text


def test_half_a_run_shows_what_is_there(tmp_path: Path) -> None:
    half = copy.deepcopy(RESULTS)
    del half["controls"], half["targets"], half["test"]["arousal"], half["database"]["partitions"]
    half["test"]["valence"]["mse"] = float("nan")
    write_json(tmp_path / "results.json", half)
    rows = [{"entry": str(n), "clip": str(n), "subject": "s1", "partition": p, "frames": 17} for n, p in enumerate(
        ("train", "test"))]  # fmt: skip
    write_csv(tmp_path / "workspace" / "partition.csv", list(rows[0]), rows)
    text = Page(write_report(tmp_path)).text
    assert "0.712" in text and "17" in text and "results.json has no “controls”" in text
    assert "Subjects in two parts, which must not be: s1." in text
    assert "nan" not in text.lower()


def test_the_table_is_aligned_and_holds_the_numbers() -> None:
    title, *lines = format_table(RESULTS).splitlines()
    assert "SYNTHETIC" in title
    assert len(lines) == 8 and len({len(line) for line in lines}) == 1
    table = "\n".join(lines)
    assert table.isascii()
    for number in [*NUMBERS, ">=0.60", ">=0.50", "0 +-0.10"]:
        assert number in table
    met = {line.split("  ")[0].strip(): line.split()[-1] for line in lines[2:]}
    assert met["valence, model"] == "yes" and met["arousal, model"] == "no"
    assert met["valence, shuffled labels"] == "yes" and met["arousal, shuffled labels"] == "no"


def test_the_table_of_an_empty_run_has_dashes() -> None:
    assert format_table({}).splitlines()[3].split()[2:] == ["-", "-", "-", "-", "-"]
