"""Packaging: what the wheel holds, what the commands call, what an unsupported Python is told."""

import ast
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"affwildnet", "data_pipeline", "experiments", "tfrecords"}
SETUP = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")
CHECK = runpy.run_path(str(ROOT / "tools" / "check_python.py"), run_name="check_python")

# As `pyenv` lays them out, or as a system has them on its path.
OLD_PYTHONS = [
    path
    for name in ("2.7", "3.6", "3.8", "3.10")
    for path in [
        shutil.which(f"python{name}"),
        *sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{name}.*/bin/python{name}")),
    ]
    if path and subprocess.run([path, "-c", ""], capture_output=True).returncode == 0
]


def test_the_wheel_holds_the_four_packages_with_their_data_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    skipped = shutil.ignore_patterns("__pycache__")
    for name in [*PACKAGES, "tests", "tools"]:
        shutil.copytree(ROOT / name, source / name, ignore=skipped)
    for name in ("setup.py", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    # A data folder without __init__.py, as page templates have.
    (source / "data_pipeline" / "pages").mkdir()
    (source / "data_pipeline" / "pages" / "page.html").write_text("<html></html>")
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "bdist_wheel", "--dist-dir", str(tmp_path)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == PACKAGES
    assert {"data_pipeline/pages/page.html", "data_pipeline/examples/aff_wild_links.csv"} <= names
    assert any(name.endswith("LICENSE") for name in names)
    for package in PACKAGES:
        assert {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")} <= names


@pytest.mark.parametrize("script", SETUP["SCRIPTS"], ids=lambda script: script.split()[0])
def test_each_command_calls_a_function_that_is_there(script: str) -> None:
    module, function = script.split("=")[1].strip().split(":")
    path = ROOT / (module.replace(".", "/") + ".py")
    # Read, not imported: some of them load TensorFlow.
    body = ast.parse(path.read_text()).body
    (found,) = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == function]
    assert not found.args.args, f"{script}: {function} takes arguments"


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 14)])
def test_an_unsupported_version_is_named_in_one_sentence(version: tuple[int, int]) -> None:
    sentence = CHECK["complaint"](version)
    assert "needs Python 3.11 to 3.13" in sentence
    assert f"this is Python {version[0]}.{version[1]}" in sentence
    assert "make demo PYTHON=python3.12" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("version", [(3, 11), (3, 12, 1), (3, 13)])
def test_supported_versions_pass(version: tuple[int, ...]) -> None:
    assert CHECK["complaint"](version) is None


@pytest.mark.parametrize("python", OLD_PYTHONS, ids=str)
def test_old_pythons_run_setup_to_the_one_sentence(python: Path) -> None:
    # Python 2 would leave its compiled file beside the source.
    result = subprocess.run([python, "-B", "setup.py", "install"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("error: AffWildNet needs Python 3.11 to 3.13")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("python", OLD_PYTHONS[:1], ids=str)
def test_make_with_an_old_python_ends_with_the_one_sentence(python: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        ["make", "setup", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode != 0
    assert "error: AffWildNet needs Python 3.11 to 3.13" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_make_with_a_python_that_does_not_run_says_so(tmp_path: Path) -> None:
    result = subprocess.run(
        ["make", "setup", "PYTHON=no-such-python", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert "error: PYTHON=no-such-python does not run" in result.stderr


@pytest.mark.parametrize("pins", sorted((ROOT / "constraints").glob("*.txt")), ids=lambda path: path.stem)
def test_constraints_pin_every_declared_package(pins: Path) -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    version = f"{pins.stem[2]}.{pins.stem[3:]}"
    pinned = {
        canonicalize_name(line.split("==")[0])
        for line in pins.read_text().splitlines()
        if line and not line.startswith("#")
    }
    extras = [line for name, lines in SETUP["EXTRAS"].items() if name != "gpu" for line in lines]
    for requirement in map(Requirement, SETUP["REQUIREMENTS"] + extras):
        on_linux = {"python_version": version, "platform_machine": "x86_64", "platform_system": "Linux"}
        if requirement.marker is None or requirement.marker.evaluate(on_linux):
            assert canonicalize_name(requirement.name) in pinned
