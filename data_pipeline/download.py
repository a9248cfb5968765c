"""A link -> a video file, by yt-dlp: ``python -m data_pipeline.download``; ``--doctor`` says what is missing for it.

Local files are never touched. Nothing is taken for whole that is not: yt-dlp works in ``VIDEO.partial/``, where a later
run goes on, and the finished video is moved out of it last, after its subtitles and ``VIDEO.info.json``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from data_pipeline.decode import ffmpeg_binary
from data_pipeline.probe import probe
from data_pipeline.yt_dlp_errors import disk_error_of, is_passing, reason_of
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import read_json, write_json

_CREATIVE_COMMONS = re.compile(r"creative\s*commons|\bcc[ -]?(0|by|zero)\b|creativecommons\.org", re.IGNORECASE)
_LONGEST_WAIT = 300.0
# yt-dlp's names of the programs that YouTube's pages can be run with.
JAVASCRIPT_RUNTIMES = ("deno", "node", "bun", "quickjs")
# What yt-dlp has to say arrives in its exceptions.
_SILENT = logging.getLogger("yt-dlp")
_SILENT.disabled = True


@dataclasses.dataclass(frozen=True)
class DownloadOptions:
    """How linked videos are fetched."""

    quality: str = option(
        "bestvideo+bestaudio/best",
        "which of the formats offered to download, in yt-dlp's words",
        flag="download_quality",
    )
    retries: int = option(
        5,
        "how often to try again what may pass, such as a lost connection",
        at_least=0,
        flag="download_retries",
    )
    retry_wait: float = option(
        2.0,
        "seconds before the first new try of a download; doubled before each further one",
        at_least=0,
        flag="download_retry_wait",
    )
    timeout: float = option(
        30.0,
        "seconds without an answer after which a try to download is given up",
        at_least=0.1,
        flag="download_timeout",
    )
    rate_limit: float = option(
        0.0, "most megabytes a second of one download, 0 for no limit; each worker has its own", at_least=0
    )
    sleep_interval: float = option(
        0.0, "seconds to wait before each download, so that a site is not pressed", at_least=0
    )
    cookies: str = option("", "file of cookies (Netscape format) for videos that want a login")
    cookies_from_browser: str = option("", "browser whose cookies are used, for example firefox or chrome")
    subtitles: tuple[str, ...] = option(("all", "-live_chat"), "languages of subtitles to fetch; empty for none")
    require_creative_commons: bool = option(False, "set aside videos whose licence is not Creative Commons")


def download(link: str, path: Path, options: DownloadOptions, licence: str = "") -> dict[str, Any]:
    """Fetches the video behind `link` to `path` unless it is there; returns what ``VIDEO.info.json`` then holds.

    The best picture and the best sound come merged in MKV; a link to a video file is kept as it was served. `licence`
    is what the manifest says where the site says nothing.

    Raises:
      InputError: the video is gone, private or no video, a passing fault did not pass, yt-dlp is not installed, or the
        licence is not Creative Commons and has to be.
      OSError: the disk is full, or the folder cannot be written.
    """
    with _alone(partial_folder(path)):
        if path.exists() and info_file(path).exists():
            info = _with_licence(read_json(info_file(path)), licence)
            _check_licence(link, info, options)
        else:
            info = _with_retries(link, path, options, licence)
        write_json(info_file(path), info)
        shutil.rmtree(partial_folder(path), ignore_errors=True)
    return info


def licence_remarks(link: str, path: Path) -> list[str]:
    """A sentence where the video downloaded to `path` is not Creative Commons."""
    info = read_json(info_file(path))
    return [] if info["creative_commons"] else [f"{link}: {_not_free(info)}"]


def info_file(path: Path) -> Path:
    """The facts of a downloaded video: its title, uploader, licence and so on."""
    return path.with_name(f"{path.stem}.info.json")


def partial_folder(path: Path) -> Path:
    """Where a download lies until it is whole."""
    return path.with_name(f"{path.stem}.partial")


def downloaded_files(path: Path) -> list[Path]:
    """All files that belong to the downloaded video at `path`: itself, its facts and its subtitles."""
    return sorted(file for file in path.parent.glob(f"{path.stem}.*") if file.is_file())


def is_creative_commons(licence: str) -> bool:
    """Whether a licence's name says Creative Commons, in YouTube's words or as CC BY, CC0 and the like."""
    return bool(_CREATIVE_COMMONS.search(licence))


def _with_retries(link: str, path: Path, options: DownloadOptions, licence: str) -> dict[str, Any]:
    """Tries until it works, is hopeless, or was tried often enough; each try goes on where the last one broke off."""
    yt_dlp = import_yt_dlp()
    if options.cookies and not Path(options.cookies).is_file():
        raise InputError(options.cookies, "the file of --cookies is missing", "name the file that a browser exported")
    wait = options.retry_wait
    for tries_left in range(options.retries, -1, -1):
        try:
            return _try(yt_dlp, link, path, options, licence)
        except yt_dlp.utils.YoutubeDLError as error:
            disk = disk_error_of(error)
            if disk is not None:
                raise OSError(disk.errno, disk.strerror, str(partial_folder(path))) from None
            tried = f", tried {options.retries + 1} times" if is_passing(error) and options.retries else ""
            if not is_passing(error) or not tries_left:
                what = f"it cannot be downloaded ({reason_of(error)}{tried})"
                remedy = "open it in a browser; take the row out, mend the link or give --cookies, then run again"
                raise InputError(link, what, remedy) from None
        time.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)
    raise AssertionError("the last try returns or raises")


def _try(yt_dlp: Any, link: str, path: Path, options: DownloadOptions, licence: str) -> dict[str, Any]:
    with yt_dlp.YoutubeDL(_parameters(path, options)) as downloader:
        found = downloader.extract_info(link, download=False)
        if found.get("_type", "video") != "video":
            raise InputError(link, "this is a list of videos", "give the link of one video")
        info = _with_licence(_facts(link, found), licence)
        _check_licence(link, info, options)
        done = downloader.process_ie_result(found, download=True)
    video = Path(done["requested_downloads"][-1]["filepath"])
    probe(video)  # a page that says sorry is no video
    info["file"], info["bytes"] = path.name, video.stat().st_size
    info["subtitles"] = _move_subtitles(path)
    write_json(info_file(path), info)
    with open(video, "rb+") as written:
        os.fsync(written.fileno())
    os.replace(video, path)
    return info


def _facts(link: str, found: dict[str, Any]) -> dict[str, Any]:
    """What is kept of all that yt-dlp knows: what says whose the video is and what may be done with it."""
    kept = ("id", "extractor", "webpage_url", "title", "uploader", "channel_url", "upload_date", "duration")
    formats = found.get("requested_formats") or [found]
    return {
        "link": link,
        **{name: found.get(name) for name in kept},
        "licence": found.get("license") or "",
        "formats": [{name: one.get(name) for name in ("format_id", "vcodec", "acodec", "height")} for one in formats],
    }


def _with_licence(info: dict[str, Any], licence: str) -> dict[str, Any]:
    free = is_creative_commons(info["licence"] or licence)
    return info | {"licence_in_manifest": licence, "creative_commons": free}


def _check_licence(link: str, info: dict[str, Any], options: DownloadOptions) -> None:
    if options.require_creative_commons and not info["creative_commons"]:
        remedy = "take the row out, or write the licence into the manifest if you know that it is"
        raise InputError(link, _not_free(info), remedy)


def _not_free(info: dict[str, Any]) -> str:
    return f"its licence is not Creative Commons ({info['licence'] or info['licence_in_manifest'] or 'none is named'})"


def _move_subtitles(path: Path) -> list[str]:
    names = []
    for file in sorted(partial_folder(path).glob("video.*.*")):
        if file.suffix in (".vtt", ".srt", ".ass", ".ttml", ".srv3"):
            os.replace(file, path.with_name(path.stem + file.name[len("video") :]))
            names.append(path.stem + file.name[len("video") :])
    return names


def _parameters(path: Path, options: DownloadOptions) -> dict[str, Any]:
    return {
        "format": options.quality,
        "merge_output_format": "mkv",
        # A file that was linked to stays as it is; other sites' single formats become MKV too.
        "postprocessors": [{"key": "FFmpegVideoRemuxer", "preferedformat": "mkv"}] if path.suffix == ".mkv" else [],
        "ffmpeg_location": ffmpeg_binary(),
        "paths": {"home": str(partial_folder(path).resolve())},
        "outtmpl": {"default": "video.%(ext)s"},
        "noplaylist": True,
        # One place that tries again is enough, and a video with a hole in it is no video.
        "retries": 0,
        "fragment_retries": 0,
        "skip_unavailable_fragments": False,
        "socket_timeout": options.timeout,
        "ratelimit": options.rate_limit * 1e6 or None,
        "sleep_interval": options.sleep_interval or None,
        "cookiefile": options.cookies or None,
        "cookiesfrombrowser": (options.cookies_from_browser,) if options.cookies_from_browser else None,
        "writesubtitles": bool(options.subtitles),
        "subtitleslangs": list(options.subtitles),
        "js_runtimes": {name: {} for name in JAVASCRIPT_RUNTIMES},
        "cachedir": False,
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "no_color": True,
        "logger": _SILENT,
    }


def import_yt_dlp() -> Any:
    """The package yt-dlp, which is in an extra: `InputError` where it is missing."""
    try:
        import yt_dlp
    except ImportError:
        remedy = "run: python -m pip install --upgrade 'yt-dlp[default]'"
        raise InputError("yt-dlp", "the package that downloads videos is not installed", remedy) from None
    return yt_dlp


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lets one process at a time work on a download: the clips of one video are worked on at once."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        with contextlib.suppress(OSError):  # some network file systems know no locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """The stage's binary, which ``--doctor`` turns into an examination of what it needs."""
    from data_pipeline.cluster import ClusterOptions
    from data_pipeline.download_doctor import DoctorOptions, examine_and_print
    from data_pipeline.pipeline import BuildOptions
    from data_pipeline.stage_binary import build_and_print
    from tfrecords import options

    def run(argv: list[str]) -> int:
        build, chosen = options.from_flags(BuildOptions), options.from_flags(DownloadOptions)
        if options.from_flags(DoctorOptions).doctor:
            return examine_and_print(build.workspace, chosen)
        return build_and_print(build, ["download"], {"download": chosen})

    options.run_main(run, BuildOptions, ClusterOptions, DownloadOptions, DoctorOptions)


if __name__ == "__main__":
    from data_pipeline import download as module  # as stages know it

    module.main()
