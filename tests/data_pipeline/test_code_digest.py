"""The digest changes with the code that a stage runs, and with nothing else."""

import shutil
import subprocess
import sys

import pytest
from processes import ROOT

from data_pipeline.code_digest import code_digest
from data_pipeline.manifest import read_manifest
from data_pipeline.stages import STAGES, freshness, run_stage


def _digests(folder):
    """Stage -> digest, of the packages in `folder`."""
    script = "import sys; from data_pipeline.code_digest import code_digest; print(*map(code_digest, sys.argv[1:]))"
    command = [sys.executable, "-c", script, *(stage.module for stage in STAGES.values())]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return dict(zip(STAGES, done.stdout.split(), strict=True))


@pytest.fixture
def copy(tmp_path):
    for package in ("data_pipeline", "tfrecords"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_change_of_code_shows_in_the_stages_that_run_it_and_a_comment_in_none(copy):
    before = _digests(copy)
    assert before == {name: code_digest(stage.module) for name, stage in STAGES.items()}
    filters = copy / "data_pipeline" / "filters" / "__init__.py"
    text = filters.read_text()
    filters.write_text(f'"""Another docstring."""\n\n# A comment.\n{text.split(chr(34) * 3, 2)[2]}')
    assert _digests(copy) == before
    filters.write_text(text + "\nCHANGED = 1\n")
    assert {name for name, digest in _digests(copy).items() if digest != before[name]} == {"filter"}


def test_outputs_of_other_code_are_kept_and_counted(short_clips, monkeypatch):
    workspace = short_clips(["a"])
    (row,) = read_manifest(workspace)
    stages = {name: STAGES[name].options() for name in ("probe", "transcode")}
    assert freshness(workspace, row, stages).first_stale == "probe"
    for name, options in stages.items():
        assert run_stage(workspace, row, name, options)
    assert freshness(workspace, row, stages).first_stale == "" and not freshness(workspace, row, stages).other_code
    monkeypatch.setattr("data_pipeline.stages.code_digest", lambda module: f"other {module}")
    assert freshness(workspace, row, stages).other_code == ("probe", "transcode")
    assert not run_stage(workspace, row, "probe", stages["probe"])


@pytest.mark.parametrize("text", ["[]", "{", '{"probe": 3}', '{"probe": {"fingerprint": 1}}', "\x00", "null"])
def test_damaged_provenance_only_means_that_the_stages_run_again(short_clips, text):
    workspace = short_clips(["a"])
    (row,) = read_manifest(workspace)
    options = STAGES["probe"].options()
    assert run_stage(workspace, row, "probe", options)
    workspace.provenance("a").write_text(text)
    assert freshness(workspace, row, {"probe": options}).first_stale == "probe"
    assert run_stage(workspace, row, "probe", options) and not run_stage(workspace, row, "probe", options)
