"""SIGKILL of a build's whole process tree at random moments: a later build makes what an undisturbed one makes."""

import contextlib
import json
import random
import shutil
import time

import psutil
import pytest
from processes import tree

from data_pipeline.demo_faces.database import DemoFacesOptions, write_demo_database
from tfrecords.workspace import Workspace


def _contents(workspace):
    """File -> its bytes; of provenance what does not tell the time, of the last build's figures nothing."""
    contents = {}
    for path in workspace.root.rglob("*"):
        name = path.relative_to(workspace.root).as_posix()
        if path.is_dir() or name == "build.json":
            continue
        contents[name] = path.read_bytes()
        if name.startswith("provenance/"):
            made = json.loads(contents[name])
            contents[name] = {stage: {**of_stage, "fingerprint": ""} for stage, of_stage in made.items()}
    return contents


def _kill(build):
    """SIGKILL to the build and all below it, as they are found."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in tree(build.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    build.wait()


def _made(workspace):
    """How many files there are, temporary ones apart."""
    return sum(not path.name.startswith(".") for path in workspace.root.rglob("*"))


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_killed_builds_end_in_the_same_bytes_as_an_undisturbed_one(tmp_path, start_build, kills):
    undisturbed, disturbed = Workspace(tmp_path / "undisturbed"), Workspace(tmp_path / "disturbed")
    subjects = 3 if kills == 1 else 6
    drawn = DemoFacesOptions(subjects=subjects, two_person_clips=1, min_seconds=1.0, max_seconds=1.0, workers=1)
    write_demo_database(undisturbed, drawn)
    shutil.copytree(undisturbed.root, disturbed.root)
    before = _made(undisturbed)
    flags = [f"--workers={1 if kills == 1 else 2}", "--shares=0.4,0.3,0.3"]
    build = start_build(undisturbed, *flags)
    _, told = build.communicate()
    assert build.returncode == 0, told
    draw = random.Random(kills)
    # By what is there and not by the clock, so that every kill meets work, the last the records.
    moments = sorted(draw.sample(range(before + 1, _made(undisturbed) - 3), kills))
    for moment in moments:
        build = start_build(disturbed, *flags)
        while build.poll() is None and _made(disturbed) < moment:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.1))
        assert build.poll() is None
        _kill(build)
    build = start_build(disturbed, *flags)
    _, told = build.communicate()
    assert build.returncode == 0, told
    expected, found = _contents(undisturbed), _contents(disturbed)
    assert sorted(found) == sorted(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert sum(name.endswith(".tfrecords") for name in found) == subjects
