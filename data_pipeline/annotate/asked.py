"""What a request asks for. Names are looked up among the manifest's and the server's, never made into paths."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from data_pipeline.annotate import clips, passes
from data_pipeline.annotate.guard import MOST_BYTES
from data_pipeline.annotate.passes import Pass
from tfrecords.errors import InputError
from tfrecords.workspace import Workspace, check_name


@dataclasses.dataclass(frozen=True)
class Site:
    """What the routes need to know."""

    workspace: Workspace
    dimensions: tuple[str, ...]
    order: str
    seed: int
    token: str
    watch_first: bool

    def entries(self) -> dict[str, clips.Entry]:
        """The manifest's entries, read again when it has changed."""
        facts = self.workspace.manifest.stat()
        return _entries(self.workspace, facts.st_mtime_ns, facts.st_size)


@functools.lru_cache(maxsize=2)
def _entries(workspace: Workspace, changed: int, size: int) -> dict[str, clips.Entry]:
    return clips.find_entries(workspace)


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object that was posted; raises `ValueError` where it is none."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise HTTPException(413, "this is more than a request may hold")
    try:
        found = json.loads(bytes(body).decode(), parse_constant=_no_number, parse_int=_whole_number)
    except (RecursionError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError("this is no JSON") from None
    if b"\\u" in body:  # an escape may stand for half a sign, which no file can hold
        _check_text(found)
    if not isinstance(found, dict):
        raise ValueError("this is no JSON object")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _whole_number(digits: str) -> int:
    """What fits a float, as all that is done with it needs."""
    if len(digits) > 20:
        raise ValueError("a number is too large")
    return int(digits)


def _check_text(found: Any) -> None:
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half a sign (a lone surrogate)") from None


def entry_of(request: Request) -> clips.Entry:
    """The entry that the path names; 404 where the manifest has none."""
    site: Site = request.app.state.site
    found = site.entries().get(request.path_params["entry"])
    if found is None:
        raise HTTPException(404, "there is no such clip")
    return found


def annotator_of(request: Request) -> str:
    """The annotator that the path names; `InputError` where it is no name, or another's in other letters."""
    site: Site = request.app.state.site
    name = check_name(request.path_params["annotator"], "the annotator")
    for known in clips.known_annotators(site.workspace):
        if known != name and known.lower() == name.lower():
            raise InputError("the annotator", f"there is an annotator {known} already", "write the name so, or another")
    return name


def dimension_of(request: Request) -> str:
    """The dimension that the path names; 404 where it is none of the server's."""
    name: str = request.path_params["dimension"]
    if name not in request.app.state.site.dimensions:
        raise HTTPException(404, "there is no such dimension")
    return name


def pass_of(request: Request) -> Pass:
    """The pass that the path names."""
    return Pass(
        annotator_of(request), entry_of(request).name, dimension_of(request), request.path_params.get("number", 0)
    )


def last_pass_of(request: Request) -> Pass:
    """The last pass that there is of what the path names, or the first that could be."""
    asked = pass_of(request)
    numbers = passes.pass_numbers(request.app.state.site.workspace, asked.annotator, asked.entry, asked.dimension)
    return dataclasses.replace(asked, number=max(numbers, default=1))
