"""``python -m data_pipeline.download --doctor``: what downloading needs, and what of it is missing or old."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.util
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from data_pipeline.decode import ffmpeg_binary
from data_pipeline.download import JAVASCRIPT_RUNTIMES, DownloadOptions, import_yt_dlp
from data_pipeline.manifest import read_manifest
from data_pipeline.manifest_cells import is_link
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import Workspace

_OLD_DAYS = 60  # YouTube changes about monthly, and yt-dlp follows
_LITTLE_SPACE = 20e9
_MOST_HOSTS = 20


@dataclasses.dataclass(frozen=True)
class DoctorOptions:
    """Whether the binary examines in place of downloading."""

    doctor: bool = option(False, "say what is missing or old for downloading, and download nothing")


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that was looked at, whether it is fine, and what there is or what to do."""

    subject: str
    fine: bool
    text: str


def examine(workspace: Workspace | None, options: DownloadOptions, today: datetime.date) -> list[Finding]:
    """Looks at all that downloading needs; with a workspace, also at its disk and the hosts of its links."""
    findings = [_yt_dlp(today), _ffmpeg(), _javascript(), _cookies(options), _browser(options)]
    if workspace is not None:
        findings.append(_space(workspace))
        findings += _hosts(workspace, options.timeout)
    return findings


def examine_and_print(workspace: str, options: DownloadOptions) -> int:
    """Prints a line a finding; returns the exit code, 1 where something is not fine."""
    findings = examine(Workspace(Path(workspace)) if workspace else None, options, datetime.date.today())
    for finding in findings:
        print(f"{'fine' if finding.fine else 'MEND'} {finding.subject}: {finding.text}")
    return 0 if all(finding.fine for finding in findings) else 1


def _yt_dlp(today: datetime.date) -> Finding:
    try:
        version = import_yt_dlp().version.__version__
    except InputError as error:
        return Finding("yt-dlp", False, f"{error.what}; {error.remedy}")
    newer = "python -m pip install --upgrade 'yt-dlp[default]'"
    if importlib.util.find_spec("yt_dlp_ejs") is None:
        return Finding("yt-dlp", False, f"{version} lacks its part for YouTube; {newer}")
    try:
        age = (today - datetime.date(*map(int, version.split(".")[:3]))).days
    except (TypeError, ValueError):
        return Finding("yt-dlp", True, f"{version}, of unknown age")
    if age > _OLD_DAYS:
        return Finding("yt-dlp", False, f"{version} is {age} days old and YouTube may refuse it; {newer}")
    return Finding("yt-dlp", True, f"{version}, {age} days old")


def _ffmpeg() -> Finding:
    try:
        binary = ffmpeg_binary()
        said = subprocess.run([binary, "-version"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return Finding("ffmpeg", False, f"it does not run ({error}); reinstall imageio-ffmpeg")
    return Finding("ffmpeg", True, f"{said.split(' Copyright')[0]} at {binary}")


def _javascript() -> Finding:
    """YouTube hides its videos' addresses behind a script, which one of these programs must run."""
    try:
        import_yt_dlp()
        from yt_dlp.globals import supported_js_runtimes
    except (InputError, ImportError):
        return Finding("JavaScript", False, "it is yt-dlp that knows what runs; install that first")
    known: dict[str, Callable[[], Any]] = supported_js_runtimes.value
    found = [known[name]().info for name in JAVASCRIPT_RUNTIMES if name in known]
    found = [info for info in found if info is not None]
    for info in found:
        if info.supported:
            return Finding("JavaScript", True, f"{info.name} {info.version}")
    old = "".join(f"{info.name} {info.version} is too old; " for info in found)
    return Finding("JavaScript", False, f"{old}for YouTube, and for it only, install deno (https://deno.com)")


def _cookies(options: DownloadOptions) -> Finding:
    if not options.cookies:
        return Finding("cookies file", True, "none is given; only videos that want a login need one")
    try:
        first = Path(options.cookies).read_text(encoding="utf-8", errors="replace").splitlines()[:1]
    except OSError as error:
        return Finding("cookies file", False, f"{options.cookies}: it cannot be read ({error.strerror})")
    if not first or "HTTP Cookie File" not in first[0]:
        remedy = "export cookies in Netscape's format, whose first line is '# Netscape HTTP Cookie File'"
        return Finding("cookies file", False, f"{options.cookies}: this is no cookies file; {remedy}")
    return Finding("cookies file", True, options.cookies)


def _browser(options: DownloadOptions) -> Finding:
    if not options.cookies_from_browser:
        return Finding("cookies of a browser", True, "none is named")
    try:
        import_yt_dlp()
        from yt_dlp.cookies import SUPPORTED_BROWSERS
    except (InputError, ImportError):
        return Finding("cookies of a browser", False, "it is yt-dlp that reads them; install that first")
    known = options.cookies_from_browser in SUPPORTED_BROWSERS
    text = options.cookies_from_browser if known else f"name one of {', '.join(sorted(SUPPORTED_BROWSERS))}"
    return Finding("cookies of a browser", known, text)


def _space(workspace: Workspace) -> Finding:
    folder = workspace.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.0f} GB free at {workspace.root}"
    return Finding(
        "disk", free > _LITTLE_SPACE, text if free > _LITTLE_SPACE else f"only {text}; an hour takes 1 to 2 GB"
    )


def _hosts(workspace: Workspace, timeout: float) -> Iterable[Finding]:
    """The hosts of the manifest's links, each asked for its first page; any answer will do."""
    try:
        links = [row.source for row in read_manifest(workspace) if is_link(row.source)]
    except InputError as error:
        return [Finding("manifest", False, str(error))]
    origins = sorted({"{0.scheme}://{0.netloc}".format(urlsplit(link)) for link in links})
    if not origins:
        return [Finding("manifest", True, "it has no links: there is nothing to download")]
    return [_host(origin, min(timeout, 10.0)) for origin in origins[:_MOST_HOSTS]]


def _host(origin: str, timeout: float) -> Finding:
    try:
        urllib.request.urlopen(urllib.request.Request(origin + "/", method="HEAD"), timeout=timeout).close()
    except urllib.error.HTTPError:
        pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Finding(origin, False, f"it cannot be reached ({reason}); check the network, a proxy or a firewall")
    return Finding(origin, True, "it answers")
