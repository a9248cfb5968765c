"""What yt-dlp's exceptions mean: whether trying again may help, and the reason in a few words."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Besides 5xx: a refusal that YouTube takes back when it is asked anew, slow requests, too many of them.
_PASSING_STATUS = (403, 408, 425, 429)


def is_passing(error: BaseException) -> bool:
    """Whether the same download may work later: the connection broke or the server was not well.

    What yt-dlp finds out about a video (gone, private, of another region, or no video) or the cookies does not pass.
    """
    from yt_dlp.cookies import CookieLoadError
    from yt_dlp.networking.exceptions import HTTPError, TransportError
    from yt_dlp.utils import DownloadError, ExtractorError, PostProcessingError

    found_out = False
    for cause in _causes(error):
        if isinstance(cause, HTTPError):
            return cause.status >= 500 or cause.status in _PASSING_STATUS
        if isinstance(cause, TransportError):
            return True
        found_out = found_out or isinstance(cause, ExtractorError | PostProcessingError | CookieLoadError)
    # A transfer that broke off arrives as a bare DownloadError.
    return isinstance(error, DownloadError) and not found_out


def disk_error_of(error: BaseException) -> OSError | None:
    """The fault of the disk (full, say) that `error` comes from, or None: one of the network is none."""
    from yt_dlp.networking.exceptions import RequestError

    for cause in _causes(error):
        if isinstance(cause, RequestError):
            return None
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause
    return None


def reason_of(error: BaseException) -> str:
    """yt-dlp's reason without its own decoration, one line of at most 200 characters."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"^(ERROR:\s*)+", "", text.strip())
    text = re.sub(r"^\[[^\]]+\]\s*(\S+:\s+)?|^Got error: ", "", text)
    text = re.split(r"\s*\(caused by |; please report this issue|\s*Confirm you are on the latest", text)[0]
    text = " ".join(text.split()).rstrip(".;")
    return text if len(text) <= 200 else text[:199] + "…"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions that led to `error`, itself first; yt-dlp keeps them in places of its own."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        kept = getattr(cause, "exc_info", None)
        waiting += [getattr(cause, "cause", None), kept[1] if kept else None, cause.__cause__, cause.__context__]
