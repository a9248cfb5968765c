"""Downloads from a server of our own, which drops, refuses and misleads; no network is needed."""

import concurrent.futures
import contextlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import imageio_ffmpeg
import pytest

from data_pipeline.download import (
    DownloadOptions,
    download,
    downloaded_files,
    is_creative_commons,
    licence_remarks,
    partial_folder,
)
from data_pipeline.manifest import read_manifest, source_file
from data_pipeline.pipeline import BuildOptions, build
from data_pipeline.probe import probe
from data_pipeline.stages import NoOptions, run_stage
from data_pipeline.transcode import TranscodeOptions
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, read_csv, write_text

pytest.importorskip("yt_dlp")
ROOT = Path(__file__).parents[2]
QUICK = DownloadOptions(retry_wait=0.01, timeout=5.0, retries=3)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves the files of `server.folder`; the path's first part says how: drop/2/a.mkv breaks off twice."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        manner, number, *rest = self.path.strip("/").split("/")
        times = self.server.times[self.path] = self.server.times.get(self.path, 0) + 1
        if manner == "status" or (manner == "sick" and times <= int(number)):
            return self.send_error(int(number) if manner == "status" else 503)
        try:
            data = (self.server.folder / rest[-1]).read_bytes()
        except FileNotFoundError:
            return self.send_error(404)
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(wanted[1]) if wanted and manner != "forgetful" else 0
        self.send_response(206 if wanted and manner != "forgetful" else 200)
        if wanted and manner != "forgetful":
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        kinds = {"m3u8": "application/vnd.apple.mpegurl", "html": "text/html", "vtt": "text/vtt"}
        self.send_header("Content-Type", kinds.get(rest[-1].rsplit(".")[-1], "video/x-matroska"))
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        # The first request is yt-dlp's look at what there is, which reads the beginning only.
        breaks = manner in ("drop", "forgetful", "hang") and 1 < times <= 1 + int(number)
        body = data[first:]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(body[: len(body) // 2] if breaks else body)
        if breaks:
            self.close_connection = True
            if manner == "hang":
                self.wfile.flush()
                self.server.hanging.set()
                self.server.released.wait(60)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def videos(tmp_path_factory, make_video):
    """A folder with a.mkv, b.mp4, and big.mkv of 200 kB or more."""
    folder = tmp_path_factory.mktemp("videos")
    make_video(folder / "a.mkv", 1)
    make_video(folder / "b.mp4", 1)
    make_video(folder / "big.mkv", 2, 30, "320x240", "-qp", "10")
    (folder / "page.html").write_text("<html><body>Sorry</body></html>")
    return folder


@pytest.fixture
def server(videos, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.folder, server.asked, server.times = videos, [], {}
    server.hanging, server.released = threading.Event(), threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_file_arrives_as_it_was_served_with_its_facts(tmp_path, server, videos):
    path = tmp_path / "sources" / "a.mkv"
    info = download(f"{server.url}/whole/0/a.mkv", path, QUICK)
    assert path.read_bytes() == (videos / "a.mkv").read_bytes()
    assert json.loads((tmp_path / "sources" / "a.info.json").read_text()) == info
    assert info["link"].endswith("/whole/0/a.mkv") and info["title"] == "a" and info["bytes"] == path.stat().st_size
    assert info["licence"] == "" and info["creative_commons"] is False
    assert licence_remarks("L", path) == ["L: its licence is not Creative Commons (none is named)"]
    assert downloaded_files(path) == [tmp_path / "sources" / "a.info.json", path]
    assert sorted(file.name for file in path.parent.iterdir()) == ["a.info.json", "a.mkv"]


@pytest.mark.parametrize("manner", ["drop/1", "drop/3", "forgetful/1"])
def test_connection_that_breaks_half_way_is_taken_up_again(tmp_path, server, videos, manner):
    path = tmp_path / "big.mkv"
    download(f"{server.url}/{manner}/big.mkv", path, QUICK)
    assert path.read_bytes() == (videos / "big.mkv").read_bytes()
    ranges = [int(found[6:-1]) for _, found in server.asked if found and found != "bytes=0-"]
    # Every new try asks for more than the last one had.
    assert ranges and ranges == sorted(set(ranges)) and ranges[0] >= 0.3 * path.stat().st_size


def test_connection_that_keeps_breaking_is_given_up_and_taken_up_by_the_next_run(tmp_path, server, videos):
    path, link = tmp_path / "big.mkv", f"{server.url}/drop/4/big.mkv"
    with pytest.raises(
        InputError, match=r"big\.mkv: it cannot be downloaded \(.*, tried 2 times\); open it in a browser"
    ):
        download(link, path, DownloadOptions(retry_wait=0.01, retries=1))
    assert not path.exists()
    (part,) = partial_folder(path).glob("*.part")
    begun = part.read_bytes()
    assert 0 < len(begun) < (videos / "big.mkv").stat().st_size and (videos / "big.mkv").read_bytes().startswith(begun)
    server.asked.clear()
    download(link, path, QUICK)
    assert path.read_bytes() == (videos / "big.mkv").read_bytes() and not partial_folder(path).exists()
    assert f"bytes={len(begun)}-" in [found for _, found in server.asked]


def test_download_that_was_killed_is_taken_up_where_it_broke_off(tmp_path, server, videos):
    workspace, (row,) = _workspace(tmp_path, f"a,{server.url}/hang/1/big.mkv,,,")
    command = [sys.executable, "-m", "data_pipeline.download", f"--workspace={tmp_path}", "--workers=1"]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        assert server.hanging.wait(60)
        deadline = time.monotonic() + 20
        while not any(part.stat().st_size for part in tmp_path.rglob("*.part")) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    server.released.set()
    path = source_file(workspace, row)
    assert not path.exists() and not (tmp_path / "provenance").exists()
    assert run_stage(workspace, row, "download", QUICK)
    assert path.read_bytes() == (videos / "big.mkv").read_bytes()
    assert sum(1 for _, found in server.asked if found and int(found[6:-1]) > 0) == 1


def test_full_disk_is_no_reason_to_try_again_and_is_named(tmp_path, server):
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"  # files can hold no more
        "from pathlib import Path; from data_pipeline.download import *\n"
        f"try: download('{server.url}/whole/0/big.mkv', Path({str(tmp_path / 'a.mkv')!r}), DownloadOptions())\n"
        "except OSError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == f"[Errno 27] File too large: '{tmp_path / 'a.partial'}'\n", done
    assert len(server.asked) == 2  # yt-dlp's look, and one try
    assert not (tmp_path / "a.mkv").exists()


@pytest.mark.parametrize(
    ("address", "asked", "reason"),
    [
        ("whole/0/missing.mkv", 1, r"\(.*HTTP Error 404: Not Found\); open it in a browser; take the row out"),
        ("status/410/a.mkv", 1, r"\(.*HTTP Error 410: Gone\)"),
        ("status/403/a.mkv", 4, r"\(.*HTTP Error 403: Forbidden, tried 4 times\)"),
        ("status/500/a.mkv", 4, r"\(.*HTTP Error 500: Internal Server Error, tried 4 times\)"),
        ("whole/0/page.html", 1, r"\(Unsupported URL: http://[^)]*\)"),
    ],
)
def test_what_cannot_be_had_is_refused_with_its_reason(tmp_path, server, address, asked, reason):
    link = f"{server.url}/{address}"
    with pytest.raises(InputError, match=re.escape(link) + ": it cannot be downloaded " + reason):
        download(link, tmp_path / "a.mkv", QUICK)
    assert len(server.asked) == asked
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [tmp_path / "a.partial" / "lock"]


def test_server_that_is_not_well_is_asked_again(tmp_path, server, videos):
    download(f"{server.url}/sick/2/a.mkv", tmp_path / "a.mkv", QUICK)
    assert (tmp_path / "a.mkv").read_bytes() == (videos / "a.mkv").read_bytes()


def test_waits_grow_from_try_to_try(tmp_path, server, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(InputError):
        download(f"{server.url}/status/500/a.mkv", tmp_path / "a.mkv", DownloadOptions(retries=4, retry_wait=2.0))
    assert [wait for wait in waits if wait >= 1] == [2.0, 4.0, 8.0, 16.0]


def test_missing_or_bad_cookies_file_is_told_before_anything_is_asked(tmp_path, server):
    (tmp_path / "bad").write_text("{}")
    for name, message in (("none", r"none: the file of --cookies is missing"), ("bad", r"\(.*[Cc]ookie")):
        options = DownloadOptions(cookies=str(tmp_path / name))
        with pytest.raises(InputError, match=message):
            download(f"{server.url}/whole/0/a.mkv", tmp_path / "a.mkv", options)
    assert server.asked == []


def test_nobody_answering_is_told(tmp_path):
    with pytest.raises(InputError, match=r"it cannot be downloaded \(.*[Cc]onnection refused.*\)"):
        download("http://127.0.0.1:9/a.mkv", tmp_path / "a.mkv", DownloadOptions(retries=0))


def test_what_is_there_is_not_fetched_again(tmp_path, server):
    path, link = tmp_path / "a.mkv", f"{server.url}/whole/0/a.mkv"
    first = download(link, path, QUICK)
    asked, changed = len(server.asked), path.stat().st_mtime_ns
    assert download(link, path, QUICK) == first
    assert len(server.asked) == asked and path.stat().st_mtime_ns == changed


def test_clips_of_one_video_that_want_it_at_once_fetch_it_once(tmp_path, server):
    path, link = tmp_path / "a.mkv", f"{server.url}/whole/0/a.mkv"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: download(link, path, QUICK), range(2))
    assert one == two and len(server.asked) == 2  # yt-dlp's look, and the video


def _workspace(tmp_path, *rows):
    write_text(tmp_path / "manifest.csv", "clip,source,start,end,part\n" + "".join(f"{row}\n" for row in rows))
    return Workspace(tmp_path), read_manifest(Workspace(tmp_path))


def test_stage_fetches_links_once_for_all_parts_and_leaves_files_alone(tmp_path, server, videos):
    link = f"{server.url}/whole/0/a.mkv"
    workspace, rows = _workspace(tmp_path, f"x-1,{link},0,0.5,1", f"x-2,{link},0.5,,2", f"y,{videos}/b.mp4,,,")
    assert [run_stage(workspace, row, "download", QUICK) for row in rows] == [True, True, True]
    asked = len(server.asked)
    assert source_file(workspace, rows[0]) == source_file(workspace, rows[1])
    assert [run_stage(workspace, row, "download", QUICK) for row in rows] == [False, False, False]
    assert len(server.asked) == asked == 2
    assert sorted(path.suffix for path in workspace.sources.iterdir()) == [".json", ".mkv"]
    for row in rows[:2]:
        run_stage(workspace, row, "probe", NoOptions())
        run_stage(workspace, row, "transcode", TranscodeOptions(preset="ultrafast"))
        assert probe(workspace.clip(row.clip)).frames == 15
    # Another cut makes another clip of the same download.
    _, (moved, *_) = _workspace(tmp_path, f"x-1,{link},0,0.8,1")
    assert not run_stage(workspace, moved, "download", QUICK)
    assert run_stage(workspace, moved, "transcode", TranscodeOptions(preset="ultrafast"))
    assert probe(workspace.clip("x-1")).frames == 24 and len(server.asked) == asked


def test_build_sets_a_video_that_is_gone_aside_goes_on_and_tells_of_licences(tmp_path, server, capfd):
    links = [f"{server.url}/whole/0/{name}" for name in ("missing.mkv", "a.mkv")]
    workspace, _ = _workspace(tmp_path, f"gone,{links[0]},,,", f"there,{links[1]},,,")
    result = build(workspace, BuildOptions(), ("download", "probe"), {"download": QUICK})
    assert [(failure.clip, failure.failed_stage) for failure in result.failed] == [("gone", "download")]
    assert "HTTP Error 404" in read_csv(workspace.failures)[0]["reason"]
    assert workspace.probe("there").exists() and not workspace.probe("gone").exists()
    # By the build itself, once, wherever the worker may be.
    assert capfd.readouterr().err.count(f"note: {links[1]}: its licence is not Creative Commons (none is named)") == 1


def test_rate_limit_holds(tmp_path, server, videos):
    size = (videos / "big.mkv").stat().st_size
    start = time.monotonic()
    download(f"{server.url}/whole/0/big.mkv", tmp_path / "a.mkv", DownloadOptions(rate_limit=size / 1e6))
    assert 0.5 < time.monotonic() - start < 10


def test_video_without_a_creative_commons_licence_is_refused_on_request(tmp_path, server):
    path, link = tmp_path / "a.mkv", f"{server.url}/whole/0/a.mkv"
    strict = DownloadOptions(require_creative_commons=True)
    with pytest.raises(InputError, match=r"its licence is not Creative Commons \(none is named\); take the row out"):
        download(link, path, strict)
    assert not path.exists()
    # The manifest's word counts where the site says nothing; and what is there already is held to the rule too.
    assert download(link, path, strict, "CC BY 4.0")["creative_commons"]
    with pytest.raises(InputError, match="not Creative Commons"):
        download(link, path, strict)
    with pytest.raises(InputError, match=r"not Creative Commons \(all rights reserved\)"):
        download(f"{server.url}/whole/0/b.mp4", tmp_path / "b.mp4", strict, "all rights reserved")


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("Creative Commons Attribution license (reuse allowed)", True),
        ("CC-BY-SA 3.0", True),
        ("CC0", True),
        ("https://creativecommons.org/licenses/by/4.0/", True),
        ("Standard YouTube License", False),
        ("", False),
        ("soccer", False),
    ],
)
def test_licence_s_name_tells_creative_commons(licence, free):
    assert is_creative_commons(licence) is free


@pytest.fixture(scope="module")
def stream(videos):
    """An HLS presentation of picture and sound apart, with English subtitles: stream.m3u8."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    for name, choice in (("picture", ("-an", "-c:v", "copy")), ("sound", ("-vn", "-c:a", "aac"))):
        command = [ffmpeg, "-v", "error", "-y", "-i", str(videos / "b.mp4"), *choice, "-f", "hls", "-hls_playlist_type"]
        subprocess.run([*command, "vod", str(videos / f"{name}.m3u8")], check=True)
    (videos / "words.vtt").write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n")
    (videos / "words.m3u8").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:1,\nwords.vtt\n#EXT-X-ENDLIST\n"
    )
    (videos / "stream.m3u8").write_text(
        "#EXTM3U\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s",NAME="main",DEFAULT=YES,URI="sound.m3u8"\n'
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="w",NAME="English",LANGUAGE="en",URI="words.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.42c01e,mp4a.40.2",RESOLUTION=64x48,AUDIO="s",SUBTITLES="w"\n'
        "picture.m3u8\n"
    )
    return "stream.m3u8"


def test_best_picture_and_best_sound_become_one_mkv_and_subtitles_come_along(tmp_path, server, stream):
    path = tmp_path / "talk.mkv"
    info = download(f"{server.url}/whole/0/{stream}", path, QUICK)
    facts = probe(path)
    assert "matroska" in facts.container and facts.has_audio and facts.seconds == pytest.approx(1, abs=0.1)
    assert len(info["formats"]) == 2
    assert info["subtitles"] == ["talk.en.vtt"] and "hello" in (tmp_path / "talk.en.vtt").read_text()
    assert [file.name for file in downloaded_files(path)] == ["talk.en.vtt", "talk.info.json", "talk.mkv"]


def test_missing_piece_of_a_stream_is_no_video(tmp_path, server, stream, videos):
    listing = (videos / "picture.m3u8").read_text().replace("#EXT-X-ENDLIST", "#EXTINF:1.0,\nlost.ts\n#EXT-X-ENDLIST")
    (videos / "picture.m3u8").write_text(listing)
    with pytest.raises(InputError, match=r"it cannot be downloaded .*404"):
        download(f"{server.url}/whole/0/{stream}", tmp_path / "talk.mkv", QUICK)
    assert not (tmp_path / "talk.mkv").exists()
