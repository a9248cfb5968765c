"""The server's routes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import importlib.resources
import secrets
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from data_pipeline.annotate import clips, passes, practice, publish
from data_pipeline.annotate.asked import (
    Site,
    annotator_of,
    dimension_of,
    entry_of,
    last_pass_of,
    pass_of,
    read_body,
)
from data_pipeline.annotate.guard import COOKIE, Guard, is_token
from data_pipeline.annotate.journal import Journal, OutOfTurn
from tfrecords.workspace import Workspace, check_name, write_json

LEAST_WATCHED = 0.9  # of a clip, before it is annotated


def make_app(site: Site, journal: Journal) -> Starlette:
    """The application; it closes the journal when the server stops."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.site = site
        app.state.journal = journal
        app.state.practice_drawn = asyncio.Lock()
        with tempfile.TemporaryDirectory(prefix="affwildnet-practice-", ignore_cleanup_errors=True) as folder:
            app.state.practice = Path(folder) / "practice.mp4"
            try:
                yield
            finally:
                journal.close()

    one = "{annotator}/{entry}/{dimension}"
    routes = [
        Route("/", _page),
        Route("/static/{name}", _static),
        Route("/api/sign_in", _sign_in, methods=["POST"]),
        Route("/api/list/{annotator}", _list),
        Route("/api/clip/{entry}", _clip),
        Route("/video/{entry}", _video),
        Route("/subtitles/{entry}/{number:int}", _subtitles),
        Route("/api/practice/{dimension}", _practice),
        Route("/practice.mp4", _practice_video),
        Route("/api/watched/{annotator}/{entry}", _watched, methods=["POST"]),
        Route(f"/api/open/{one}", _progress),
        Route(f"/api/open/{one}", _open, methods=["POST"]),
        Route(f"/api/batch/{one}/{{number:int}}", _batch, methods=["POST"]),
        Route(f"/api/finish/{one}/{{number:int}}", _finish, methods=["POST"]),
        Route("/api/review/{entry}/{dimension}", _review),
        Route(f"/api/edit/{one}", _edit, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {
        OutOfTurn: lambda request, error: _error(409, str(error), reason=error.reason, expected=error.expected),
        OSError: lambda request, error: _error(507, f"this could not be written ({error.strerror or error})"),
        ValueError: _bad_input,
        HTTPException: lambda request, error: _error(error.status_code, error.detail),
    }
    middleware = [Middleware(Guard, token=site.token)]
    return Starlette(routes=routes, exception_handlers=handlers, middleware=middleware, lifespan=lifespan)


def _error(status: int, what: str, **more: Any) -> Response:
    return JSONResponse({"error": what, **more}, status)


def _bad_input(request: Request, error: ValueError) -> Response:
    # Whoever asks from elsewhere need not know where the workspace lies.
    return _error(400, str(error).replace(f"{request.app.state.site.workspace.root}/", ""))


def _page(request: Request) -> Response:
    return _file("index.html")


def _static(request: Request) -> Response:
    return _file(request.path_params["name"])


def _file(name: str) -> Response:
    found = {path.name: path for path in importlib.resources.files(__package__).joinpath("static").iterdir()}
    if name not in found:
        raise HTTPException(404, "there is no such file")
    return FileResponse(str(found[name]), headers={"cache-control": "no-cache"})


async def _sign_in(request: Request) -> Response:
    site: Site = request.app.state.site
    given = (await read_body(request)).get("token", "")
    if not site.token or not is_token(str(given), site.token):
        raise HTTPException(403, "this is not the server's token")
    answer = JSONResponse({"signed_in": True})
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, site.token, httponly=True, samesite="strict", secure=secure, path="/")
    return answer


async def _list(request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(_listed, request.app.state.site, annotator_of(request)))


def _listed(site: Site, annotator: str) -> dict[str, Any]:
    entries, failed = site.entries(), clips.failed_clips(site.workspace)
    rows = []
    for name in clips.ordered(list(entries), site.order, annotator, site.seed):
        entry = entries[name]
        problem = clips.why_not_ready(site.workspace, entry, failed).replace(f"{site.workspace.root}/", "")
        state = clips.annotator_state(site.workspace, entry, annotator, site.dimensions)
        rows.append(entry.described() | state | {"problem": problem})
    facts = site.workspace.database_facts()
    # What the browser keeps for one workspace must not be sent to another at the same address.
    digest = hashlib.sha256(str(site.workspace.root.resolve()).encode()).hexdigest()[:16]
    told = {"workspace": digest, "database": facts["name"], "notice": facts.get("notice", ""), "order": site.order}
    return {**told, "dimensions": site.dimensions, "entries": rows}


async def _clip(request: Request) -> Response:
    return JSONResponse(await run_in_threadpool(clips.clip_facts, request.app.state.site.workspace, entry_of(request)))


def _video(request: Request) -> Response:
    path = request.app.state.site.workspace.clip(entry_of(request).row.clip)
    if not path.is_file():
        raise HTTPException(404, "the clip has not been converted yet")
    return FileResponse(str(path), media_type="video/mp4", headers={"cache-control": "private, no-cache"})


def _subtitles(request: Request) -> Response:
    found = clips.subtitle_files(request.app.state.site.workspace, entry_of(request))
    if request.path_params["number"] >= len(found):
        raise HTTPException(404, "there are no such subtitles")
    return FileResponse(str(found[request.path_params["number"]]), media_type="text/vtt")


def _practice(request: Request) -> Response:
    seconds = np.arange(practice.SECONDS * 30) / 30
    values = practice.practice_curve(dimension_of(request), seconds)
    curve = np.stack([seconds, values], axis=1).round(4).tolist()
    return JSONResponse({"seconds": practice.SECONDS, "curve": curve})


async def _practice_video(request: Request) -> Response:
    path: Path = request.app.state.practice
    async with request.app.state.practice_drawn:
        if not path.exists():
            await run_in_threadpool(practice.write_practice_clip, path)
    return FileResponse(str(path), media_type="video/mp4")


async def _watched(request: Request) -> Response:
    site: Site = request.app.state.site
    body, annotator, entry = await read_body(request), annotator_of(request), entry_of(request)
    seconds = await run_in_threadpool(clips.clip_seconds, site.workspace, entry)
    share, said = clips.watched_share(body.get("spans", []), seconds), body.get("said") is True
    if share < LEAST_WATCHED and not said:
        return JSONResponse({"watched": False, "share": share})
    path = clips.watched_path(site.workspace, annotator, entry.name)
    facts = {"watched": publish.now(), "share": round(share, 3), "said": said}
    await request.app.state.journal.run(functools.partial(write_json, path, facts))
    return JSONResponse({"watched": True, "share": share})


async def _progress(request: Request) -> Response:
    """How far the annotator's last pass has come."""
    key = last_pass_of(request)
    found = request.app.state.journal.progress(key)
    return JSONResponse({"pass": key.number, "finished": found.finished, "position": found.position})


async def _open(request: Request) -> Response:
    """Opens a session on the annotator's last pass, or on a new one where that is finished and another is asked for."""
    site: Site = request.app.state.site
    journal: Journal = request.app.state.journal
    body, key = await read_body(request), last_pass_of(request)
    if site.watch_first and not clips.is_watched(site.workspace, key.annotator, key.entry):
        raise HTTPException(
            403, "Watch the clip as a whole first: that is its page 'Watch first' in the list of clips."
        )
    if journal.progress(key).finished:
        if body.get("again") is not True:
            return JSONResponse({"pass": key.number, "finished": True})
        key = dataclasses.replace(key, number=key.number + 1)
    seconds = await run_in_threadpool(clips.clip_seconds, site.workspace, site.entries()[key.entry])
    session = secrets.token_hex(8)
    facts = {"input": str(body.get("input", ""))[:200], "browser": request.headers.get("user-agent", "")[:200]}
    line = {"session": session, "number": 0, "opened": publish.now(), "clip_seconds": seconds, **facts}
    await journal.append(key, line)
    await journal.run(lambda: None, moved=key)
    position = journal.progress(key).position
    return JSONResponse({"pass": key.number, "session": session, "position": position, "seconds": seconds})


async def _batch(request: Request) -> Response:
    key = pass_of(request)
    line = passes.check_batch(await read_body(request))
    if not key.path(request.app.state.site.workspace).exists():
        raise HTTPException(404, "there is no such pass")
    await request.app.state.journal.append(key, line)
    return JSONResponse({"acknowledged": line["number"]})


async def _finish(request: Request) -> Response:
    site: Site = request.app.state.site
    journal: Journal = request.app.state.journal
    await read_body(request)
    key = pass_of(request)
    if not key.path(site.workspace).exists():
        raise HTTPException(404, "there is no such pass")
    seconds = await run_in_threadpool(clips.clip_seconds, site.workspace, site.entries()[key.entry])
    check = await journal.run(functools.partial(publish.finish_pass, site.workspace, key, seconds), moved=key)
    if check["passed"]:
        journal.progress(key).finished = True
    return JSONResponse(check)


async def _review(request: Request) -> Response:
    return await _reviewed(request.app.state.site.workspace, entry_of(request).name, dimension_of(request))


async def _reviewed(workspace: Workspace, entry: str, dimension: str) -> Response:
    from data_pipeline.annotate.review import review_facts  # scipy's signals take as long to load as all the rest

    return JSONResponse(await run_in_threadpool(review_facts, workspace, entry, dimension))


async def _edit(request: Request) -> Response:
    site: Site = request.app.state.site
    change, key = await read_body(request), pass_of(request)
    by = check_name(str(change.get("by", "")), "the annotator")
    seconds = await run_in_threadpool(clips.clip_seconds, site.workspace, entry_of(request))
    await request.app.state.journal.run(functools.partial(publish.edit, site.workspace, key, by, change, seconds))
    return await _reviewed(site.workspace, key.entry, key.dimension)
