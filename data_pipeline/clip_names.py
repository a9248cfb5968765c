"""Names of clips as the thesis makes them: ``INDEX-FPS-WIDTHxHEIGHT[-PART]``; entries append ``-pPERSON``."""

from __future__ import annotations

import re
from typing import Any


def thesis_name(index: int, facts: dict[str, Any], part: str = "") -> str:
    """The name of a clip whose source has the `facts` of ``clips/CLIP.json``: its rate and size before conversion."""
    name = f"{index}-{round(facts['frame_rate'])}-{facts['width']}x{facts['height']}"
    return f"{name}-{part}" if part else name


def index_of(clip: str, otherwise: int) -> int:
    """The number that a clip's name begins with, or `otherwise`."""
    found = re.match(r"[0-9]{1,6}(?![0-9])", clip)
    return int(found[0]) if found else otherwise


def without_part(clip: str, part: str) -> str:
    """A clip's name without the ``-PART`` at its end."""
    return clip.removesuffix(f"-{part}") if part else clip
