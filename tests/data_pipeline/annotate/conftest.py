"""Workspaces of clips that tell their frame's number, servers in processes of their own, and a real browser."""

from __future__ import annotations

import contextlib
import functools
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded_clips import CODED, SECONDS, TWO
from processes import ROOT

from data_pipeline.decode import ffmpeg_binary
from tfrecords.workspace import Workspace, write_csv, write_text

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="session")
def coded_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`SECONDS` of 320×240 at 30 FPS with sound, H.264; bit k of frame n (from 0) is the square at 40 * k."""
    path = tmp_path_factory.mktemp("coded") / "coded.mp4"
    pictures = []
    for frame in range(SECONDS * 30):
        picture = np.full((240, 320, 3), (90, 120, 150), np.uint8)
        for bit in range(8):
            picture[:40, 40 * bit : 40 * bit + 40] = 255 * (frame >> bit & 1)
        picture[120:160, 3 * frame : 3 * frame + 40] = (250, 220, 60)
        pictures.append(picture.tobytes())
    command = [ffmpeg_binary(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x240", "-r", "30"]
    command += ["-i", "pipe:", "-f", "lavfi", "-i", f"sine=duration={SECONDS}", "-c:v", "libx264"]
    command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(path)]
    subprocess.run(command, input=b"".join(pictures), check=True)
    return path


@pytest.fixture(scope="session")
def make_workspace(coded_clip: Path) -> Callable[[Path], Workspace]:
    """``make_workspace(folder)``: `CODED` and `TWO`, whose clips show the coded one, and a clip that is not ready."""
    return functools.partial(_make_workspace, coded_clip)


@pytest.fixture
def annotated(tmp_path: Path, make_workspace: Callable[[Path], Workspace]) -> Workspace:
    """A workspace of the test's own."""
    return make_workspace(tmp_path)


def _make_workspace(coded_clip: Path, folder: Path) -> Workspace:
    workspace = Workspace(folder / "workspace")
    for clip in (CODED, TWO):
        workspace.clip(clip).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(coded_clip, workspace.clip(clip))
    rows: list[dict[str, Any]] = [
        {"clip": CODED, "source": "sources/talk.mp4", "subjects": "s1"},
        {"clip": TWO, "source": "sources/two.mp4", "subjects": "s2 s3", "start": "1"},
        {"clip": "later", "source": "sources/later.mp4", "subjects": "s4"},
    ]
    write_csv(workspace.manifest, ("clip", "source", "subjects", "start"), rows)
    boxes = [{"frame": n, "x": 180, "y": 60, "width": 60, "height": 80} for n in range(1, SECONDS * 30 + 1)]
    columns = ("frame", "face", "member", "x", "y", "width", "height", "score", "distance")
    write_csv(workspace.faces(f"{TWO}-p2"), columns, boxes)
    cues = "WEBVTT\n\n00:00.200 --> 00:00.900\nbefore\n\n00:01.500 --> 00:03.000\nHello <i>there</i>\n"
    write_text(workspace.sources / "two.en.vtt", cues)
    return workspace


class Server:
    """A running server and where it is."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url

    @property
    def port(self) -> int:
        return int(self.url.split("#")[0].rstrip("/").rpartition(":")[2])

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """``serve(workspace, *flags)`` starts a server on a free port; it is stopped after the test."""
    yield from _servers()


@pytest.fixture(scope="module")
def start_server() -> Iterator[Callable[..., Server]]:
    """`serve` for a module's own server."""
    yield from _servers()


def _servers() -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(workspace: Workspace, *flags: str, **more: Any) -> Server:
        command = [sys.executable, "-m", "data_pipeline.annotate", f"--workspace={workspace.root}", "--port=0", *flags]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **more)
        assert process.stdout
        url = process.stdout.readline().split()[-1]
        started.append(Server(process, url))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


def chromium() -> str:
    """The path of a Chromium, or ''."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for found in map(shutil.which, names) if found), "")


# Until the file's end only: Playwright runs once at a time in a process, and other tests' browsers want it too.
@pytest.fixture(scope="module")
def start_browser() -> Iterator[Callable[[], Any]]:
    """``start_browser()`` starts a headless Chromium of its own; the test skips where there is none."""
    if not chromium():
        pytest.skip("no chromium is installed: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:

        def start(folder: Path | None = None) -> Any:
            options: dict[str, Any] = {"executable_path": chromium(), "args": ARGUMENTS}
            if folder:  # it keeps what it knows
                return playwright.chromium.launch_persistent_context(str(folder), **options)
            return playwright.chromium.launch(**options)

        yield start


@pytest.fixture(scope="module")
def browser(start_browser: Callable[[], Any]) -> Iterator[Any]:
    """One Chromium for all tests of a file."""
    found = start_browser()
    yield found
    found.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """``open_page(url, name, input=…, …)`` is a page whose annotator has signed in, with these settings.

    What goes wrong on it, or is asked of another server, fails the test.
    """
    contexts = []
    faults: list[str] = []

    def open_it(url: str, name: str = "zoe", init: str = "", context: Any = None, **settings: Any) -> Any:
        options = settings.pop("options", {})
        context = context or browser.new_context(**{"viewport": {"width": 1000, "height": 700}, **options})
        contexts.append(context)
        chosen = {"name": name, "count": 0, "input": "mouse", **settings}
        context.add_init_script(
            f"if (!localStorage.getItem('affwildnet-annotate')) localStorage.setItem('affwildnet-annotate', "
            f"JSON.stringify({chosen!r}))"
        )
        if init:
            context.add_init_script(init)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        origin = url.split("#")[0]
        page.on("request", lambda asked: asked.url.startswith((origin, "data:")) or faults.append(asked.url))
        page.goto(url)
        return page

    yield open_it
    for context in contexts:
        with contextlib.suppress(Exception):  # a test may have killed it
            context.close()
    assert not faults
