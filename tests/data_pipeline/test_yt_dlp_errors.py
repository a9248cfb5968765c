import errno
import io
import sys

import pytest

from data_pipeline.yt_dlp_errors import disk_error_of, is_passing, reason_of

yt_dlp = pytest.importorskip("yt_dlp")


def _reported(error):
    """`error` as yt-dlp reports it to who calls it."""
    try:
        raise error
    except Exception:
        return yt_dlp.utils.DownloadError(f"ERROR: {error}", sys.exc_info())


def _status(status):
    response = yt_dlp.networking.Response(io.BytesIO(), "http://x.org", {}, status=status)
    return yt_dlp.networking.exceptions.HTTPError(response)


def _found_out(text):
    return yt_dlp.utils.ExtractorError(text, expected=True, video_id="enk0b0v-gF8", ie="youtube")


@pytest.mark.parametrize(
    "text",
    [
        "Private video. Sign in if you've been granted access to this video",
        "Video unavailable. This video has been removed by the uploader",
        "Sign in to confirm you’re not a bot",
    ],
)
def test_what_a_site_says_of_a_video_does_not_pass_and_is_its_reason(text):
    error = _reported(_found_out(text))
    assert not is_passing(error) and reason_of(error) == text


@pytest.mark.parametrize(
    ("status", "passes"),
    [(400, False), (401, False), (403, True), (404, False), (410, False), (429, True), (503, True)],
)
def test_server_s_status_tells_whether_to_try_again(status, passes):
    assert is_passing(_reported(_status(status))) is passes
    # As the cause of what yt-dlp makes of it, too.
    page = yt_dlp.utils.ExtractorError("Unable to download webpage", expected=True, cause=_status(status))
    assert is_passing(_reported(page)) is passes


def test_broken_connection_passes_and_bad_cookies_do_not():
    assert is_passing(_reported(yt_dlp.networking.exceptions.TransportError("reset")))
    assert is_passing(yt_dlp.utils.DownloadError("ERROR: Got error: 5 bytes read, 5 more expected"))
    assert not is_passing(yt_dlp.cookies.CookieLoadError("failed to load cookies"))
    assert not is_passing(_reported(yt_dlp.utils.PostProcessingError("ffmpeg failed")))


def test_full_disk_is_told_from_a_broken_network():
    assert disk_error_of(_reported(OSError(errno.ENOSPC, "No space left on device"))).errno == errno.ENOSPC
    refused = yt_dlp.networking.exceptions.TransportError(cause=ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
    assert disk_error_of(_reported(refused)) is None
    assert disk_error_of(_reported(_found_out("gone"))) is None


def test_reason_is_one_short_line_without_decoration():
    error = yt_dlp.utils.DownloadError(
        "ERROR: \x1b[0;31m[generic] a: Unable to\n download; please report this issue on https://github.com/yt-dlp"
    )
    assert reason_of(error) == "Unable to download"
    assert len(reason_of(yt_dlp.utils.DownloadError("x" * 1000))) == 200
