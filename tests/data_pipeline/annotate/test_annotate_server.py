"""The server alone: who is refused, and that nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import resource
import signal
import socket
import subprocess
import sys

import httpx
import numpy as np
import psutil
import pytest
from coded_clips import CODED, SECONDS, TWO
from processes import ROOT

from data_pipeline.annotate.journal import Journal
from data_pipeline.annotate.passes import Pass, pass_trace, read_lines
from tfrecords.workspace import Workspace

TOKEN = "0123456789abcdef"
AT_ONCE = "--nowatch_first"


def _batch(session, number, start, count=30, value=0, **more):
    samples = [[start + k / 60, value, 1000.0 + k, 0.001] for k in range(count)]
    return {"session": session, "number": number, "samples": samples, **more}


def _open(client, annotator="zoe", entry=CODED, dimension="valence", **body):
    answer = client.post(f"/api/open/{annotator}/{entry}/{dimension}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _path(annotated, annotator="zoe", dimension="valence", number=1):
    return annotated.annotations / annotator / CODED / "passes" / f"{dimension}.{number}.jsonl"


def _raw(server, request):
    """The status of a request as it stands, which no client tidies up."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture(scope="module")
def shared(make_workspace, tmp_path_factory):
    """The workspace of `shared_server`: each test has annotators of its own."""
    return make_workspace(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def shared_server(shared, start_server):
    return start_server(shared, AT_ONCE)


@pytest.fixture(scope="module")
def client(shared_server):
    with httpx.Client(base_url=shared_server.url, timeout=30) as found:
        yield found


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/video/../manifest.csv",
        "/video/..%2f..%2fmanifest.csv",
        "/video//etc/passwd",
        "/video/%2Fetc%2Fpasswd",
        "/video/later/../../manifest.csv",
        "/subtitles/..%2f..%2fsources/0",
        "/api/list/..",
        "/api/list/%2e%2e",
        "/api/list/a%00b",
        "/api/list/.hidden",
        "/api/list/" + "a" * 300,
        "/api/clip/..%2F..%2Fx",
        "/api/review/../valence",
        f"/api/review/{CODED}/..%2f..%2fx",
        "//etc/passwd",
        "/annotations/.journal.jsonl",
    ],
)
def test_paths_that_leave_the_workspace_are_refused(shared_server, path):
    assert _raw(shared_server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()) in (
        400,
        404,
    )


def test_names_that_are_no_ids_write_nothing(client, shared):
    before = sorted(shared.root.rglob("*"))
    for annotator, entry, dimension in [
        ("..", CODED, "valence"),
        ("zoe", "nobody", "valence"),
        ("zoe", "..", "valence"),
        ("zoe", CODED, "../x"),
        ("zoe", CODED, "liking"),
        ("%2Ftmp%2Fx", CODED, "valence"),
    ]:
        answer = client.post(f"/api/open/{annotator}/{entry}/{dimension}", json={})
        assert answer.status_code in (400, 404, 405), answer.text
    assert sorted(shared.root.rglob("*")) == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example:8770"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_requests_of_other_sites_are_refused(client, headers, status):
    sent = {"content-type": "application/json", **headers}
    answer = client.post(f"/api/open/zoe/{CODED}/valence", content=b"{}", headers=sent)
    assert answer.status_code == status
    if "content-type" not in headers:
        assert client.get(f"/video/{CODED}", headers=headers).status_code == status


@pytest.mark.parametrize("host", ["127.0.0.2", "[::1]:8770", "LOCALHOST:80"])
def test_every_name_of_this_machine_alone_is_served(client, host):
    assert client.get("/api/list/zoe", headers={"host": host}).status_code == 200


def test_headers_keep_other_scripts_out(client):
    for path in ("/", "/static/main.js", "/api/list/zoe", f"/video/{CODED}", "/nothing"):
        headers = client.get(path).headers
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin" and "server" not in headers
    page = client.get("/").text
    assert "http://" not in page and "https://" not in page and "<script>" not in page


def test_video_is_served_by_ranges(client, coded_clip):
    whole = coded_clip.read_bytes()
    answer = client.get(f"/video/{CODED}", headers={"range": "bytes=100-199"})
    assert answer.status_code == 206 and answer.content == whole[100:200]
    assert client.get(f"/video/{CODED}").content == whole
    assert client.get(f"/video/{CODED}", headers={"range": f"bytes={len(whole)}-"}).status_code == 416


def test_bodies_that_are_too_big_or_no_batches_are_refused(shared_server, client, shared):
    opened = _open(client, "bodies")
    target = f"/api/batch/bodies/{CODED}/valence/1"
    assert client.post(target, content=b"[" * 600_000, headers={"content-type": "application/json"}).status_code == 413
    chunks = b"".join(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(12))
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked"
    assert _raw(shared_server, head.encode() + b"\r\n\r\n" + chunks + b"0\r\n\r\n") == 413
    session = opened["session"]
    for body in [
        b"[" * 100_000,
        b"\xff",
        b"{}",
        b"[]",
        json.dumps(_batch(session, 0, 0)).encode(),
        json.dumps(_batch(session, 1, 0, count=2001)).encode(),
        json.dumps(_batch(session, 1, 0, value=1001)).encode(),
        json.dumps(_batch(session, 1, 0, value=0.5)).encode(),
        json.dumps(_batch(session, 1, float("nan"))).encode(),
        json.dumps(_batch(session, 1, -5)).encode(),
        json.dumps(_batch(session, 1, 0) | {"samples": [[1, 0, 0, 0], [0.5, 0, 0, 0]]}).encode(),
        json.dumps(_batch(session, 1, 0, events=[{"event": "redo"}])).encode(),
        json.dumps(_batch(session, 1, 0, events=[{"event": "x" * 99}])).encode(),
        json.dumps(_batch(session, 1, 0) | {"samples": [[10**400, 0, 0, 0]]}).encode(),
        json.dumps(_batch(session, 1, 0) | {"samples": [[0, 0, 10**400, 0]]}).encode(),
        json.dumps(_batch(session, 1, 0, events=[{"event": "x", "at": 10**400}])).encode(),
        b'{"number": ' + b"1" * 5000 + b"}",
        json.dumps(_batch(session, 1, 0, events=[{"event": "x", "text": "\ud800"}])).encode(),
        json.dumps(_batch(session, 1, 0)).replace(session, "\udfff").encode("utf-8", "surrogatepass"),
    ]:
        answer = client.post(target, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, (body[:80], answer.text)
    assert [line["number"] for line in read_lines(_path(shared, "bodies"))] == [0]


def test_half_a_sign_is_refused_and_the_server_goes_on(client):
    """A lone surrogate can be written as JSON and to no file; in what is posted, never mind where."""
    _open(client, "half")
    batch = f"/api/batch/half/{CODED}/valence/1"
    for target, body in [
        (f"/api/open/half/{CODED}/valence", {"input": "\ud800"}),
        (batch, _batch("\udc00", 1, 0)),
        (batch, _batch("s", 1, 0, events=[{"event": "input", "text": "\ud800"}])),
        (f"/api/edit/half/{CODED}/valence", {"by": "zoe", "what": "\ud800"}),
    ]:
        answer = client.post(target, content=json.dumps(body).encode(), headers={"content-type": "application/json"})
        assert answer.status_code == 400 and "half a sign" in answer.json()["error"]
    # Whole ones, of two halves in JSON, are text.
    assert _open(client, "half", input="\U0001f600")["session"]


def test_writer_goes_on_after_a_fault_and_its_caller_is_told(tmp_path):
    workspace = Workspace(tmp_path)
    journal = Journal(workspace, {"clip"})
    key = Pass("zoe", "clip", "valence", 1)

    async def use():
        await journal.append(key, {"session": "s", "number": 0})
        with pytest.raises(UnicodeEncodeError):
            await journal.append(key, {"session": "s", "number": 1, "text": "\ud800"})
        whole, journal._file = journal._file, None  # what no machine here does: a fault that is no OSError
        with pytest.raises(AttributeError):
            await journal.append(key, {"session": "s", "number": 1})
        journal._file = whole
        await journal.append(key, {"session": "s", "number": 1})
        with pytest.raises(ZeroDivisionError):
            await journal.run(lambda: 1 // 0)
        await journal.append(key, {"session": "s", "number": 2})

    _run(use())
    journal.close()
    assert [line["number"] for line in read_lines(key.path(workspace))] == [0, 1, 2]


def _run(work):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:  # a browser of other tests has this thread's loop
        return pool.submit(asyncio.run, work).result()


def test_batches_come_in_order_and_once(annotated, serve):
    server = serve(annotated, AT_ONCE)
    client = httpx.Client(base_url=server.url, timeout=30)
    session = _open(client)["session"]
    target = f"/api/batch/zoe/{CODED}/valence/1"
    assert client.post(target, json=_batch(session, 1, 0.0)).json() == {"acknowledged": 1}
    answer = client.post(target, json=_batch(session, 3, 1.0))
    assert answer.status_code == 409 and (answer.json()["expected"], answer.json()["reason"]) == (2, "missing")
    assert client.post(target, json=_batch(session, 2, 0.5)).status_code == 200
    # One that comes again is acknowledged and not written.
    assert client.post(target, json=_batch(session, 2, 0.5, value=9)).json() == {"acknowledged": 2}
    answer = client.post(target, json=_batch("stranger", 1, 0.5))
    assert answer.status_code == 409 and "another window" in answer.json()["error"]
    assert answer.json()["reason"] == "elsewhere"
    assert client.get(f"/api/open/zoe/{CODED}/valence").json()["position"] == pytest.approx(0.5 + 29 / 60)
    server.stop()
    assert [line["number"] for line in read_lines(_path(annotated))] == [0, 1, 2]
    assert (annotated.annotations / ".journal.jsonl").stat().st_size == 0


def test_finished_pass_is_checked_before_it_counts(client, shared):
    session = _open(client, "fin")["session"]
    target, finish = f"/api/batch/fin/{CODED}/valence/1", f"/api/finish/fin/{CODED}/valence/1"
    client.post(target, json=_batch(session, 1, 0.0))
    check = client.post(finish, json={}).json()
    assert not check["passed"] and "The last sample is at 0.48 s" in check["problems"][0]
    assert check["go_on_from"] == pytest.approx(29 / 60, abs=1e-5)
    assert not (shared.annotations / "fin" / CODED / "valence.txt").exists()
    for number in range(2, 2 * SECONDS + 1):
        client.post(target, json=_batch(session, number, (number - 1) / 2))
    check = client.post(finish, json={}).json()
    assert check["passed"] and check["samples"] == 30 * 2 * SECONDS and check["gaps"] == []
    before = (shared.annotations / "fin" / CODED / "valence.txt").read_bytes()
    assert client.post(finish, json={}).json()["passed"]  # asked again, it is done
    assert (shared.annotations / "fin" / CODED / "valence.txt").read_bytes() == before
    assert client.post(target, json=_batch(session, 2 * SECONDS + 1, 2.99)).status_code == 409
    assert client.post(f"/api/open/fin/{CODED}/valence", json={}).json()["finished"]
    assert _open(client, "fin", again=True)["pass"] == 2


def test_names_that_differ_in_letters_only_are_refused(client):
    _open(client, "Case")
    answer = client.get("/api/list/case")
    assert answer.status_code == 400 and "there is an annotator Case already" in answer.json()["error"]


def test_clip_is_annotated_once_it_was_watched_as_a_whole(client):
    target = f"/api/watched/zoe/{CODED}"
    assert not client.post(target, json={"spans": [[0, 1], [0.5, 1.5]]}).json()["watched"]
    assert client.post(target, json={"spans": [["a", 1]]}).status_code == 400
    assert client.post(target, json={"spans": [[0, 1.4], [1.4, 2.95]]}).json()["watched"]
    listed = {row["entry"]: row for row in client.get("/api/list/zoe").json()["entries"]}
    assert listed[CODED]["watched"] and not listed[f"{TWO}-p1"]["watched"]
    assert listed[f"{TWO}-p2"]["place"] == "right" and listed["later"]["problem"]


def test_pass_is_opened_only_when_its_clip_was_watched(annotated, serve):
    server = serve(annotated)
    with httpx.Client(base_url=server.url) as client:
        target = f"/api/open/zoe/{CODED}/valence"
        answer = client.post(target, json={})
        assert answer.status_code == 403 and "Watch the clip as a whole first" in answer.json()["error"]
        assert not (annotated.annotations / "zoe").exists()
        client.post(f"/api/watched/zoe/{CODED}", json={"spans": [[0, SECONDS]]})
        assert client.post(target, json={}).status_code == 200
        assert client.post(f"/api/open/anna/{CODED}/valence", json={}).status_code == 403


def test_random_order_is_an_annotator_s_own_and_stays(annotated, serve):
    server = serve(annotated, "--order=random", "--seed=3")
    with httpx.Client(base_url=server.url) as client:
        orders = [[row["entry"] for row in client.get(f"/api/list/{name}").json()["entries"]] for name in "aabcdef"]
    assert orders[0] == orders[1] and len({tuple(order) for order in orders}) > 2


def test_other_machines_need_the_token(annotated, serve):
    server = serve(annotated, "--host=0.0.0.0", f"--token={TOKEN}")
    assert server.url.endswith(f"#token={TOKEN}")
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        assert client.get("/").status_code == client.get("/static/main.js").status_code == 200
        for path in ("/api/list/zoe", f"/video/{CODED}", "/subtitles/x/0", "/practice.mp4"):
            assert client.get(path).status_code == 401
            for wrong in ("x", TOKEN[:-1], TOKEN + "x"):
                assert client.get(path, headers={"authorization": f"Bearer {wrong}"}).status_code == 401
                assert client.get(path, headers={"cookie": f"affwildnet_annotate={wrong}"}).status_code == 401
        assert client.post("/api/sign_in", json={"token": "wrong"}).status_code == 403
        answer = client.post("/api/sign_in", json={"token": TOKEN})
        assert "HttpOnly" in answer.headers["set-cookie"] and "SameSite=strict" in answer.headers["set-cookie"]
        assert client.get("/api/list/zoe").status_code == 200


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--workspace=nowhere"], "there is no manifest"),
        (["--host=0.0.0.0", "--token=short"], "--token: it is too short"),
        (["--dimensions=../x"], "is no dimension's name"),
        (["--certificate=x.pem"], "one of them is missing"),
    ],
)
def test_flags_that_do_not_fit_are_named(annotated, flags, what):
    command = [sys.executable, "-m", "data_pipeline.annotate", f"--workspace={annotated.root}", "--port=0", *flags]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1 and what in result.stderr and "Traceback" not in result.stderr


def test_a_second_server_of_the_workspace_is_refused(shared, shared_server):
    command = [sys.executable, "-m", "data_pipeline.annotate", f"--workspace={shared.root}", "--port=0"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1 and "another annotation server has this workspace open" in result.stderr


@pytest.mark.parametrize("clients", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_clients_at_once_lose_nothing_when_the_server_is_killed(annotated, serve, clients):
    """Each sends batches until the server is killed; what was acknowledged is there, once and in order."""
    server = serve(annotated, AT_ONCE)
    acknowledged: dict[str, int] = {}
    killed = asyncio.Event()

    async def post(client, path, body):
        while True:
            try:
                return await client.post(path, json=body)
            except httpx.TransportError:
                # As the page does: a connection that broke is no reason to stop.
                if killed.is_set():
                    raise
                await asyncio.sleep(0.1)

    async def annotate(client, name):
        opened = await post(client, f"/api/open/{name}/{CODED}/valence", {})
        session = opened.json()["session"]
        for number in range(1, 1000):
            body = _batch(session, number, number / 10, count=5, value=number)
            answer = await post(client, f"/api/batch/{name}/{CODED}/valence/1", body)
            assert answer.status_code == 200
            acknowledged[name] = number

    async def all_of_them():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=server.url, timeout=60, limits=limits) as client:
            tasks = [asyncio.create_task(annotate(client, f"a{k}")) for k in range(clients)]
            while sum(acknowledged.values()) < 3 * clients or len(acknowledged) < clients:
                done, _ = await asyncio.wait(tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
                assert not done, done
            killed.set()
            server.kill()
            return await asyncio.gather(*tasks, return_exceptions=True)

    ends = _run(all_of_them())
    assert all(isinstance(end, httpx.TransportError) for end in ends), {type(end) for end in ends}
    serve(annotated).stop()
    for name, last in acknowledged.items():
        lines = read_lines(_path(annotated, name))
        numbers = [line["number"] for line in lines]
        assert numbers == list(range(len(numbers))) and numbers[-1] >= last
        trace = pass_trace(lines)
        assert len(trace.stamps) == 5 * numbers[-1] and np.all(np.diff(trace.stamps) > 0)


def test_full_disk_refuses_batches_and_takes_them_again_when_there_is_room(annotated, serve):
    server = serve(annotated, AT_ONCE, preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
    process = psutil.Process(server.process.pid)
    with httpx.Client(base_url=server.url, timeout=30) as client:
        session = _open(client)["session"]
        target = f"/api/batch/zoe/{CODED}/valence/1"
        assert client.post(target, json=_batch(session, 1, 0)).status_code == 200
        # No file may grow beyond this: as on a disk that is full.
        size = (annotated.annotations / ".journal.jsonl").stat().st_size
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
        answer = client.post(target, json=_batch(session, 2, 0.5))
        assert answer.status_code == 507 and "could not be written" in answer.json()["error"]
        assert client.post(target, json=_batch(session, 2, 0.5)).status_code == 507
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert client.post(target, json=_batch(session, 2, 0.5)).status_code == 200
        assert client.post(target, json=_batch(session, 3, 1.0)).status_code == 200
    server.stop()
    assert [line["number"] for line in read_lines(_path(annotated))] == [0, 1, 2, 3]


def _killed_with_batches(annotated, serve):
    """A workspace whose journal holds a batch; the server is killed."""
    server = serve(annotated, AT_ONCE)
    with httpx.Client(base_url=server.url) as client:
        session = _open(client)["session"]
        client.post(f"/api/batch/zoe/{CODED}/valence/1", json=_batch(session, 1, 0))
    server.kill()
    return annotated.annotations / ".journal.jsonl"


def test_acknowledged_batches_of_a_clip_that_left_the_manifest_are_kept_aside(annotated, serve):
    journal = _killed_with_batches(annotated, serve)
    lines, manifest = journal.read_bytes(), annotated.manifest.read_text()
    annotated.manifest.write_text("".join(row for row in manifest.splitlines(True) if not row.startswith(CODED)))
    server = serve(annotated, stderr=subprocess.PIPE)
    server.stop()
    aside = annotated.annotations / "not_in_manifest.jsonl"
    assert f"batches of clips that the manifest lacks are kept in {aside}" in server.process.stderr.read()
    assert aside.read_bytes() == lines and journal.stat().st_size == 0
    # As the message says: the manifest has it again, and so has the pass.
    annotated.manifest.write_text(manifest)
    journal.write_bytes(aside.read_bytes())
    serve(annotated).stop()
    assert [line["number"] for line in read_lines(_path(annotated))] == [0, 1]


def test_batches_of_a_person_who_withdrew_do_not_come_back(annotated, serve):
    journal = _killed_with_batches(annotated, serve)
    command = [sys.executable, "-m", "data_pipeline.remove_subject", f"--workspace={annotated.root}", "--subject=s1"]
    result = subprocess.run([*command, "--yes"], cwd=ROOT, capture_output=True, text=True)
    assert f"{journal}, line 1: {CODED}" in result.stdout + result.stderr
    serve(annotated).stop()
    assert journal.stat().st_size == 0
    assert not [path for path in annotated.annotations.rglob("*.jsonl") if CODED.encode() in path.read_bytes()]


def test_journal_of_a_killed_server_goes_to_the_passes_and_its_torn_end_is_cut(annotated, serve):
    journal = _killed_with_batches(annotated, serve)
    gone = journal.read_bytes().replace(CODED.encode(), b"removed")
    journal.write_bytes(journal.read_bytes() + gone + b'{"pass":"zoe/')
    # Where the machine stopped while a line was being moved, the pass's file has half of it.
    with open(_path(annotated), "ab") as stream:
        stream.write(b'{"pass":"zo')
    serve(annotated).stop()
    assert [line["number"] for line in read_lines(_path(annotated))] == [0, 1]
    assert journal.stat().st_size == 0 and not (annotated.annotations / "zoe" / "removed").exists()


def test_edits_are_refused_where_the_annotation_has_changed(client, shared):
    folder = shared.annotations / "anna" / CODED
    folder.mkdir(parents=True)
    (folder / "valence.txt").write_text("0.0 1\n1.0 2\n2.0 3\n")
    target = f"/api/edit/anna/{CODED}/valence"
    change = {"what": "invalid", "from": 0.5, "to": 1.5, "by": "zoe", "base": 1}
    assert client.post(target, json=change).json()["traces"][0]["points"] == [
        [0.0, 1], [0.5, None], [1.0, None], [1.5, None], [2.0, 3],
    ]  # fmt: skip
    answer = client.post(target, json=change)
    assert answer.status_code == 400 and "has changed meanwhile" in answer.json()["error"]
    for bad in [
        {"what": "drawn", "points": [[1, 0], [1, 5]]},
        {"what": "drawn", "points": [[1, 0], [SECONDS + 1, 5]]},
        {"what": "x"},
        {"what": "invalid", "from": 2, "to": 1},
        {"what": "invalid", "from": 2, "to": SECONDS + 1},
    ]:
        assert client.post(target, json=bad | {"by": "zoe", "base": 2}).status_code == 400
    assert (folder / "valence.1.txt").read_text() == "0.0 1\n1.0 2\n2.0 3\n"
    told = json.loads((folder / "passes" / "valence.json").read_text())
    assert [(one["version"], one["from"], one.get("by")) for one in told] == [(1, "found", None), (2, "invalid", "zoe")]


def test_server_stops_without_a_traceback_when_asked(annotated, serve):
    server = serve(annotated, stderr=subprocess.PIPE)
    assert httpx.get(server.url).status_code == 200
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0 and server.process.stderr.read() == ""
