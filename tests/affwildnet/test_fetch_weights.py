"""Downloads from a server on this machine: checked, pinned, unpacked, and nothing left where one fails."""

import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from affwildnet.fetch_weights import LOCK, fetch
from affwildnet.pretrained_files import PRETRAINED_FILES, PretrainedFile, fetched_path
from tfrecords.errors import InputError

CONTENT = b"weights" * 1000


class Handler(http.server.SimpleHTTPRequestHandler):
    requests: list[str] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path == "/short.h5":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            return
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server of files, and the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "a.h5").write_bytes(CONTENT)
    Handler.requests.clear()
    handler = functools.partial(Handler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", served
        running.shutdown()


def files(url: str, file: str = "a.h5", published: str = "", name: str = "faces") -> dict[str, PretrainedFile]:
    return {name: PretrainedFile(url, file, "any use", published)}


def test_published_hash_is_checked_and_nothing_is_pinned(server: tuple[str, Path], tmp_path: Path) -> None:
    for kind in ("md5", "sha256"):
        folder = tmp_path / kind
        published = f"{kind}:{hashlib.new(kind, CONTENT).hexdigest()}"
        path = fetch("faces", folder, files=files(f"{server[0]}/a.h5", published=published))
        assert path.read_bytes() == CONTENT and [item.name for item in folder.iterdir()] == ["a.h5"]


def test_file_that_is_not_the_published_one_is_refused_and_not_kept(server: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"its hash is md5:\w+, but md5:0000 is published"):
        fetch("faces", tmp_path / "w", files=files(f"{server[0]}/a.h5", published="md5:0000"))
    assert list((tmp_path / "w").iterdir()) == []


def test_hash_is_pinned_at_the_first_download_and_checked_at_later_ones(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    folder, table = tmp_path / "w", files(f"{server[0]}/a.h5")
    path = fetch("faces", folder, files=table)
    pinned = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
    assert json.loads((folder / LOCK).read_text()) == {"faces": pinned}
    path.unlink()
    (server[1] / "a.h5").write_bytes(CONTENT + b"!")
    with pytest.raises(InputError, match=rf"but {pinned} is pinned in .*weights.lock"):
        fetch("faces", folder, files=table)
    assert [item.name for item in folder.iterdir()] == [LOCK]


def test_file_that_is_there_is_checked_and_not_fetched_again(server: tuple[str, Path], tmp_path: Path) -> None:
    folder, table = tmp_path / "w", files(f"{server[0]}/a.h5")
    path = fetch("faces", folder, files=table)
    fetch("faces", folder, files=table)
    assert len(Handler.requests) == 1
    path.write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"a\.h5: its hash is .*; delete the file"):
        fetch("faces", folder, files=table)


def test_licence_is_printed(server: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        fetch("faces", tmp_path / "w", files=files(f"{server[0]}/a.h5"))
        assert "licence: any use" in capsys.readouterr().out


def test_archive_is_unpacked_and_its_checkpoint_found(server: tuple[str, Path], tmp_path: Path) -> None:
    for name, members, found in [
        ("resnet50", ["resnet_v1_50.ckpt"], "resnet_v1_50.ckpt"),
        ("densenet121", ["tf/n.ckpt.index", "tf/n.ckpt.data-00000-of-00001"], "tf/n.ckpt"),
    ]:
        file = PRETRAINED_FILES[name].file
        write_archive(server[1] / file, members)
        fetch(name, tmp_path, files=files(f"{server[0]}/{file}", file, name=name))
        assert fetched_path(tmp_path, name) == tmp_path / name / found


def write_archive(path: Path, members: list[str]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            information = tarfile.TarInfo(member)
            information.size = len(CONTENT)
            archive.addfile(information, io.BytesIO(CONTENT))


def test_archive_that_would_write_elsewhere_is_refused(server: tuple[str, Path], tmp_path: Path) -> None:
    write_archive(server[1] / "bad.tar.gz", ["../outside.ckpt"])
    with pytest.raises(InputError, match="it cannot be unpacked"):
        fetch("faces", tmp_path / "w", files=files(f"{server[0]}/bad.tar.gz", "bad.tar.gz"))
    assert not (tmp_path / "outside.ckpt").exists() and not (tmp_path / "w" / "faces").exists()


def test_failed_downloads_leave_nothing(server: tuple[str, Path], tmp_path: Path) -> None:
    (server[1] / "page.h5").write_text("<!DOCTYPE html><p>Sign in</p>")
    for file, message in [
        ("gone.h5", "the download failed"),
        ("short.h5", "the download (failed|broke off after 4 of 100 bytes)"),
        ("page.h5", "the server sent a web page"),
    ]:
        with pytest.raises(InputError, match=message):
            fetch("faces", tmp_path / "w", files=files(f"{server[0]}/{file}", file))
        assert list((tmp_path / "w").iterdir()) == []


def test_unknown_name_says_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there are no weights 'vgg'; choose from cnn_m, densenet121, .*vggface"):
        fetch("vgg", tmp_path)


def test_every_published_file_has_a_licence_and_its_own_name() -> None:
    assert all(file.licence and file.url.startswith("http") for file in PRETRAINED_FILES.values())
    assert len({file.file for file in PRETRAINED_FILES.values()}) == len(PRETRAINED_FILES)
