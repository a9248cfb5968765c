"""The doctor's findings, of things made good and bad here."""

import datetime
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from data_pipeline import download_doctor
from data_pipeline.download import DownloadOptions
from data_pipeline.download_doctor import examine
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, write_text

yt_dlp = pytest.importorskip("yt_dlp")
RELEASED = datetime.date(*map(int, yt_dlp.version.__version__.split(".")[:3]))


def _findings(workspace=None, options=None, today=RELEASED):
    return {finding.subject: finding for finding in examine(workspace, options or DownloadOptions(), today)}


def test_yt_dlp_is_fine_for_sixty_days_and_old_after_that():
    assert _findings(today=RELEASED + datetime.timedelta(60))["yt-dlp"].fine
    old = _findings(today=RELEASED + datetime.timedelta(61))["yt-dlp"]
    assert not old.fine and "is 61 days old" in old.text and "install --upgrade 'yt-dlp[default]'" in old.text


def test_missing_yt_dlp_is_told_with_the_command_that_installs_it(monkeypatch):
    def missing():
        raise InputError("yt-dlp", "it is not installed", "run: pip")

    monkeypatch.setattr(download_doctor, "import_yt_dlp", missing)
    assert not _findings()["yt-dlp"].fine and "run: pip" in _findings()["yt-dlp"].text
    assert not _findings()["JavaScript"].fine


def test_ffmpeg_of_the_environment_runs_and_one_that_does_not_is_told(monkeypatch):
    assert _findings()["ffmpeg"].fine
    monkeypatch.setattr(download_doctor, "ffmpeg_binary", lambda: "/nowhere/ffmpeg")
    assert not _findings()["ffmpeg"].fine


def _program(folder, name, says):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)


def test_javascript_runtime_is_found_and_an_old_one_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert not _findings()["JavaScript"].fine and "install deno" in _findings()["JavaScript"].text
    monkeypatch.setenv("PATH", f"{tmp_path / 'old'}:/bin:/usr/bin")
    _program(tmp_path / "old", "deno", "deno 1.0.0")
    _program(tmp_path / "old", "node", "v18.0.0")
    assert "deno 1.0.0 is too old" in _findings()["JavaScript"].text
    _program(tmp_path / "old", "deno", "deno 2.9.0 (stable)")
    assert _findings()["JavaScript"].fine and _findings()["JavaScript"].text == "deno 2.9.0"


@pytest.mark.parametrize(
    ("text", "fine"), [("# Netscape HTTP Cookie File\n", True), ("{}\n", False), ("", False), (None, False)]
)
def test_cookies_file_has_to_be_one(tmp_path, text, fine):
    if text is not None:
        (tmp_path / "cookies").write_text(text)
    found = _findings(options=DownloadOptions(cookies=str(tmp_path / "cookies")))["cookies file"]
    assert found.fine is fine


def test_browser_has_to_be_one_that_is_known():
    assert _findings(options=DownloadOptions(cookies_from_browser="firefox"))["cookies of a browser"].fine
    found = _findings(options=DownloadOptions(cookies_from_browser="lynx"))["cookies of a browser"]
    assert not found.fine and "firefox" in found.text


def test_little_disk_space_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(download_doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5_000_000_000}))
    assert not _findings(Workspace(tmp_path / "new"))["disk"].fine


class _Refusing(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_error(403)

    def log_message(self, *_):
        pass


def test_host_of_every_link_is_asked_once_and_any_answer_will_do(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = HTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    up, down = f"http://127.0.0.1:{server.server_port}", "http://127.0.0.1:9"
    write_text(tmp_path / "manifest.csv", f"clip,source\na,{up}/a.mp4\nb,{up}/b.mp4\nc,{down}/c.mp4\nd,d.mp4\n")
    found = _findings(Workspace(tmp_path))
    server.shutdown()
    server.server_close()
    thread.join()
    assert found[up].fine and not found[down].fine and "Connection refused" in found[down].text
    assert len(found) == 8


def test_command_prints_a_line_a_finding_and_fails_where_one_is_bad(tmp_path):
    write_text(tmp_path / "manifest.csv", "clip,source\na,a.mp4\n")
    command = [sys.executable, "-m", "data_pipeline.download", f"--workspace={tmp_path}", "--doctor"]
    done = subprocess.run([*command, "--cookies=none"], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 1 and "MEND cookies file: none: it cannot be read (No such file" in done.stdout
    assert "it has no links: there is nothing to download" in done.stdout
    assert not (tmp_path / "provenance").exists()
