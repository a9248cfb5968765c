"""Finding the video that a database's annotation belongs to."""

from __future__ import annotations

from pathlib import Path

from data_pipeline.manifest import VIDEO_SUFFIXES


def find_videos(folder: Path) -> list[Path]:
    """The video files below `folder`, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file())


def videos_by_name(folder: Path) -> dict[str, Path]:
    """Name without suffix -> video, of those below `folder`; of several of one name the first by path."""
    return {path.stem: path for path in reversed(find_videos(folder))}
