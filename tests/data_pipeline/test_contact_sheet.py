import base64
import html.parser
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from data_pipeline.choose_face import FilterOptions, choose_faces
from data_pipeline.contact_sheet import write_contact_sheet
from data_pipeline.manifest import ManifestRow
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_csv

ONE = ManifestRow("clip", Path("clip.mp4"), ("s1",))
TWO = ManifestRow("clip", Path("clip.mp4"), ("s1", "s2"))
RED, BLUE, GREEN = (200, 20, 20), (20, 20, 200), (20, 200, 20)
# Two people, of whom the first is away for a while, and a false detection in frame 5.
FRAMES = {
    frame: [(300, BLUE)] + ([(10, RED)] if not 20 <= frame < 30 else []) + ([(150, GREEN)] if frame == 5 else [])
    for frame in range(1, 41)
}


class _Page(html.parser.HTMLParser):
    """What a test asks of the page: tags with their attributes, and each section's text."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.codes, self.headings, self._in = [], [], [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "input"):
            self._in.append(tag)
        {"code": self.codes, "h3": self.headings}.get(tag, []).append("")

    def handle_endtag(self, tag):
        assert self._in.pop() == tag  # every element is closed

    def handle_data(self, text):
        into = {"code": self.codes, "h3": self.headings}.get(self._in[-1] if self._in else "")
        if into:
            into[-1] += " ".join(text.split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def workspace(tmp_path, detect):
    workspace = Workspace(tmp_path)
    detect(workspace, FRAMES)
    return workspace


def _page(workspace, row, **options):
    choose_faces(workspace, row, FilterOptions())
    return _Page(write_contact_sheet(workspace, row, **options))


def test_every_track_says_who_got_it(workspace):
    page = _page(workspace, TWO)
    assert page.headings == ["Track 1: clip-p2", "Track 2: clip-p1", "Track 4: clip-p1"]
    assert [tag["data-entry"] for tag in page.all("section")] == ["clip-p2", "clip-p1", "clip-p1"]
    assert "looks like track 4" in workspace.contact_sheet("clip").read_text()
    assert "frames 30–40" in workspace.contact_sheet("clip").read_text()


def test_crops_are_spread_over_the_track_and_are_what_was_detected(workspace):
    page = _page(workspace, TWO, pictures=4)
    pictures = page.all("img")
    assert [tag["alt"] for tag in pictures[:4]] == [
        "Track 1 in frame 6, at 0:00.2",
        "Track 1 in frame 16, at 0:00.5",
        "Track 1 in frame 26, at 0:00.8",
        "Track 1 in frame 36, at 0:01.2",
    ]
    assert all(tag["alt"] and tag["src"].startswith("data:image/jpeg;base64,") for tag in pictures)
    for tag, colour in zip(pictures, [BLUE] * 4 + [RED] * 8 + [GREEN], strict=True):
        data = base64.b64decode(tag["src"].partition(",")[2])
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        assert picture.shape == (96, 64, 3) and np.abs(picture - np.array(colour, float)).max() < 8


def test_dropped_detections_stand_below(workspace):
    text = _page(workspace, TWO) and workspace.contact_sheet("clip").read_text()
    assert "Track 3 in frame 5" in text.partition("Dropped detections")[2]
    assert "71 detections, 1 of them given to nobody" in " ".join(text.split())


def test_page_needs_nothing_but_itself(workspace):
    page = _page(workspace, TWO)
    text = workspace.contact_sheet("clip").read_text()
    assert not re.search(r"https?://|url\(|@import|//[a-z]+\.", text)
    assert [tag for tag in page.all("script") if tag] == [] and page.all("link") == []
    assert page.all("html")[0]["lang"] == "en"


def test_every_choice_is_a_labelled_radio_button(workspace):
    page = _page(workspace, TWO)
    values = [tag["value"] for tag in page.all("input") if tag["name"] == "track2"]
    assert values == ["clip-p1", "clip-p2", ""]
    assert [tag["value"] for tag in page.all("input") if "checked" in tag] == ["clip-p2", "clip-p1", "clip-p1"]
    assert len(page.all("legend")) == len(page.all("section")) and len(page.all("label")) == len(page.all("input"))


def test_lines_of_the_page_are_corrections_that_change_nothing(workspace):
    page = _page(workspace, TWO)
    before = [workspace.faces(entry).read_bytes() for entry in TWO.entries()]
    header = next(code for code in page.codes if code.startswith("entry,"))
    lines = [code for code in page.codes if re.match(r"clip-p\d,,,track", code)]
    assert len(lines) == 2 and lines[0].startswith("clip-p1,,,track 2 4,")
    workspace.corrections.write_text("\n".join([header, *lines, ""]))
    choose_faces(workspace, TWO, FilterOptions())
    assert [workspace.faces(entry).read_bytes() for entry in TWO.entries()] == before


def test_correction_shows_on_the_next_sheet(workspace):
    assert _page(workspace, ONE).headings[0] == "Track 1: clip"
    workspace.corrections.write_text("entry,from_frame,to_frame,take\nclip,,,track 2 4\n")
    assert _page(workspace, ONE).headings == ["Track 1: nobody", "Track 2: clip", "Track 4: clip"]


def test_sheet_before_the_choice_says_so(workspace):
    page = _Page(write_contact_sheet(workspace, ONE))
    assert page.headings[0] == "Track 1: nobody"
    assert "python -m data_pipeline.choose_face" in page.codes


def test_clip_without_a_face_has_a_page(tmp_path, detect):
    workspace = Workspace(tmp_path)
    detect(workspace, {})
    assert "No face was found in this clip." in write_contact_sheet(workspace, ONE).read_text()


def test_clip_s_name_cannot_write_into_the_page(workspace):
    """Names are checked in the manifest; ids of subjects and notices are text too."""
    row = ManifestRow("clip", Path("clip.mp4"), ("<b>one</b>",))
    assert "<b>" not in write_contact_sheet(workspace, row).read_text()


def test_missing_detections_are_named(tmp_path):
    with pytest.raises(InputError, match="the detections cannot be read"):
        write_contact_sheet(Workspace(tmp_path), ONE)


def test_command_writes_what_it_can_and_ends_with_1_for_what_it_cannot(workspace):
    rows = [{"clip": "clip", "source": "clip.mp4"}, {"clip": "other", "source": "other.mp4"}]
    write_csv(workspace.manifest, ("clip", "source"), rows)
    command = [sys.executable, "-m", "data_pipeline.contact_sheet", f"--workspace={workspace.root}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "no sheet: " in done.stderr and "Traceback" not in done.stderr
    assert workspace.contact_sheet("clip").exists() and "1 contact sheets" in done.stdout
    done = subprocess.run([*command, "--clips=nobody"], capture_output=True, text=True)
    assert done.returncode == 1 and "there is no clip nobody" in done.stderr
