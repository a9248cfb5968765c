"""Downloads published weights, the one command that does: ``python -m affwildnet.fetch_weights --weights=vggface``.

The hash of a file whose publisher states none is pinned in ``weights.lock`` at the first download and checked at every
later one; keep that file, or copy it beside the weights of another machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tqdm import tqdm

from affwildnet.pretrained_files import PRETRAINED_FILES, PretrainedFile
from tfrecords import options
from tfrecords.errors import InputError
from tfrecords.options import option
from tfrecords.workspace import atomic_path, read_json, write_json

LOCK = "weights.lock"
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class FetchOptions:
    """What is downloaded where to."""

    weights: tuple[str, ...] = option((), f"names, of {', '.join(sorted(PRETRAINED_FILES))}")
    folder: str = option("weights", "folder for the files and weights.lock")
    timeout: float = option(60.0, "seconds without an answer after which a download is given up")


def fetch(
    name: str, folder: Path, timeout: float = 60.0, files: Mapping[str, PretrainedFile] = PRETRAINED_FILES
) -> Path:
    """Downloads `name` unless it is there, checks its hash, unpacks an archive, prints the licence; returns the path.

    Raises:
      InputError: the name is unknown, the download fails, or the file is not the one published or pinned.
    """
    if name not in files:
        raise InputError("--weights", f"there are no weights {name!r}", f"choose from {', '.join(sorted(files))}")
    file = files[name]
    path = folder / file.file
    if path.exists():
        _check(path, name, file, path)
    else:
        with atomic_path(path) as temporary:
            _download(file.url, temporary, timeout)
            _check(temporary, name, file, path)
    if path.name.endswith(".tar.gz"):
        _unpack(path, folder / name)
    print(f"{name}: {path}\n  licence: {file.licence}")
    return path


def _download(url: str, path: Path, timeout: float) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "affwildnet"})
    remedy = "try again later, or download it by hand into the folder under the name in affwildnet/pretrained_files.py"
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer, open(path, "wb") as written:
            size = int(answer.headers.get("Content-Length") or 0)
            with tqdm(total=size or None, unit="B", unit_scale=True, desc=path.suffix or "weights") as bar:
                while chunk := answer.read(_CHUNK):
                    written.write(chunk)
                    bar.update(len(chunk))
    except (urllib.error.URLError, OSError) as error:
        raise InputError(url, f"the download failed ({error})", remedy) from None
    got = path.stat().st_size
    if size and got != size:
        raise InputError(url, f"the download broke off after {got} of {size} bytes", remedy)
    with open(path, "rb") as start:
        if start.read(256).lstrip().lower().startswith((b"<!doctype html", b"<html")):
            raise InputError(url, "the server sent a web page in place of the file", remedy)


def _check(path: Path, name: str, file: PretrainedFile, shown: Path) -> None:
    """Raises `InputError` where the hash is not the published or pinned one; pins it where there is none yet."""
    lock = shown.parent / LOCK
    pinned = read_json(lock) if lock.exists() else {}
    wanted = file.published_hash or pinned.get(name, "")
    kind = wanted.partition(":")[0] or "sha256"
    with open(path, "rb") as content:
        got = f"{kind}:{hashlib.file_digest(content, kind).hexdigest()}"
    if wanted and got != wanted:
        source = "published" if file.published_hash else f"pinned in {lock}"
        what = f"its hash is {got}, but {wanted} is {source}"
        raise InputError(shown, what, "delete the file if it is there and fetch it again; use no file that differs")
    if not wanted:
        write_json(lock, {**pinned, name: got})
        print(f"{name}: no hash is published; pinned {got} in {lock}")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpacks `archive` into `folder`, all of it or nothing; a member that would leave the folder is refused."""
    if folder.exists():
        return
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(temporary, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise InputError(archive, f"it cannot be unpacked ({error})", "delete it and fetch it again") from None
    temporary.rename(folder)


def main(argv: list[str]) -> int:
    chosen = options.from_flags(FetchOptions)
    if not chosen.weights:
        raise InputError("--weights", "no weights are named", f"choose from {', '.join(sorted(PRETRAINED_FILES))}")
    for name in chosen.weights:
        fetch(name, Path(chosen.folder), chosen.timeout)
    return 0


def run() -> None:
    options.run_main(main, FetchOptions)


if __name__ == "__main__":
    run()
