"""The live page on a stream that a local server sends, in a real browser."""

import functools
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from affwildnet.live_page import serve_page
from affwildnet.predict_job import is_current, model_stamp, predict_source
from affwildnet.predict_options import PredictOptions
from affwildnet.predict_sources import find_sources
from affwildnet.stop_signals import stopped_by_signals, until
from tfrecords.errors import InputError
from tfrecords.workspace import read_csv

ROOT = Path(__file__).parents[2]
_FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
_FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture
def stream(tmp_path, demo_workspace):
    """The address of a local server that sends 24 s of a drawn person as MPEG-TS, as fast as it can."""
    row = next(row for row in read_csv(demo_workspace.manifest) if len(row["subjects"].split()) == 1)
    (tmp_path / "served").mkdir()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "5"]
    command += ["-i", str(demo_workspace.root / row["source"]), "-c", "copy", "-f", "mpegts"]
    subprocess.run([*command, str(tmp_path / "served" / "face.ts")], check=True, stdin=subprocess.DEVNULL)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/face.ts"
        server.shutdown()


def test_live_page_shows_the_stream_with_values_and_the_files_are_written(tmp_path, stream, make_model_folder):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium is installed here")
    model = make_model_folder(tmp_path / "model").root
    flags = ["--live", "--port=0", f"--model={model}", "--checkpoint=latest", f"--output={tmp_path / 'out'}"]
    command = [sys.executable, "-m", "affwildnet.predict", stream, *flags]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            told = next(line for line in process.stdout if line.startswith("live at "))
            with playwright.sync_playwright() as tools:
                browser = tools.chromium.launch(executable_path=chromium, args=_FLAGS)
                page = browser.new_page(viewport={"width": 1100, "height": 700})
                page.goto(told.split()[2], wait_until="commit")
                page.wait_for_function("document.querySelectorAll('#people td').length >= 3", timeout=60_000)
                first = page.inner_text("#state")
                page.wait_for_function("before => document.getElementById('state').innerText != before", arg=first)
                page.wait_for_function("document.getElementById('video').naturalWidth > 0")
                # 640 × 360 drawn at a height of 540, and the plane beside it.
                assert page.evaluate("document.getElementById('video').naturalWidth") == 960 + 540
                assert page.inner_text("#people").startswith("person 1")
                shown = page.locator("#video").screenshot(path=str(tmp_path / "live.png"))
                assert len(shown) > 20_000
                browser.close()
            process.terminate()  # as Ctrl-C: it writes the files
            assert process.wait(60) == 0
        finally:
            process.kill()
    (table,) = (tmp_path / "out").glob("*.csv")
    rows = read_csv(table)
    assert len(rows) >= 10 and "1" in {row["track"] for row in rows}
    facts = json.loads(table.with_suffix(".json").read_text())
    numbers = sorted({int(row["frame"]) for row in rows})
    # What came too late to be predicted has no row, and is counted.
    assert facts["complete"] and facts["frames"] == len(numbers) == numbers[-1] - facts["frames_left_out"]
    assert table.with_name(f"{table.stem}-affect.mp4").stat().st_size > 10_000


def test_page_is_for_this_machine_only_and_says_when_the_port_is_taken():
    with serve_page(0, "a <b>") as page:
        page.publish(np.zeros((20, 20, 3), np.uint8), {"frame": 1, "seconds": 0.0, "left_out": 0, "people": []})
        with urllib.request.urlopen(page.address) as answer:
            assert b"a &lt;b&gt;" in answer.read()
        with urllib.request.urlopen(page.address + "video") as answer:
            assert b"image/jpeg" in answer.read(64)
        # Another site's name that leads here.
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(urllib.request.Request(page.address, headers={"Host": "evil.example"}))
        port = int(page.address.split(":")[2].strip("/"))
        with pytest.raises(InputError, match=f"port {port} cannot be used"), serve_page(port, ""):
            pass
    time.sleep(0.1)
    with pytest.raises(OSError):
        urllib.request.urlopen(page.address, timeout=2)


def test_stream_without_a_page_is_predicted_for_the_seconds_asked_for(tmp_path, stream, make_model_folder):
    chosen = PredictOptions(
        model=str(make_model_folder(tmp_path / "model").root),
        checkpoint="latest",
        output=str(tmp_path / "out"),
        formats=("csv", "overlay"),
    )
    (source,) = find_sources([stream])
    done = predict_source(source, chosen, model_stamp(chosen), seconds=1.5, bar=False)
    assert [Path(name).suffix for name in done.files] == [".csv"]
    rows = read_csv(done.files[0])
    assert [row["frame"] for row in rows if row["track"] == "1"] == [str(n) for n in range(1, 46)]
    assert not is_current(source, chosen, model_stamp(chosen))


def test_first_signal_asks_to_stop_and_the_second_is_as_always():
    # Importing dask_jobqueue, as other tests do, changes what Ctrl-C does in this process.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupt_twice()
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_twice():
    with stopped_by_signals() as stopped:
        assert not stopped.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stopped.wait(5) and list(until([1, 2], stopped)) == []
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
