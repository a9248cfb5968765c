import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

from tfrecords.options import define_flags, from_flags, option, to_flags


@dataclasses.dataclass(frozen=True)
class Example:
    count: int = option(3, "a whole number")
    rate: float = option(0.5, "a number")
    name: str = option("", "a text")
    quick: bool = option(True, "yes or no")
    kind: str = option("a", "one of two", choices=("a", "b"))
    parts: tuple[str, ...] = option(("x", "y"), "several")
    limit: int | None = option(None, "none or a whole number")
    from_stage: str = option("probe", "a word that Python reserves", flag="from")


def _parse(*arguments):
    values = flags.FlagValues()
    define_flags(Example, values)
    values(["program", *arguments])
    return from_flags(Example, values)


def test_without_flags_the_dataclass_has_its_defaults():
    assert _parse() == Example()


def test_every_type_of_field_is_read_from_its_flag():
    given = ["--count=-4", "--rate=1e-3", "--name=a b", "--noquick", "--kind=b", "--parts=p,q", "--limit=7", "--from=x"]
    assert _parse(*given) == Example(-4, 1e-3, "a b", False, "b", ("p", "q"), 7, "x")


@pytest.mark.parametrize(
    "chosen",
    [
        Example(),
        Example(-4, 1e-3, "a 'b' $(c)", False, "b", ("p", "q"), 7, "x"),
        Example(parts=()),
        Example(parts=("a,b", 'say "c"', "d e")),
    ],
)
def test_flags_made_of_options_parse_back_to_them(chosen):
    assert _parse(*to_flags(chosen)) == chosen


def test_flags_made_of_options_leave_out_defaults():
    assert to_flags(Example()) == [] and to_flags(Example(quick=False, from_stage="x")) == ["--noquick", "--from=x"]


def test_empty_list_flag_is_an_empty_tuple():
    assert _parse("--parts=").parts == ()


@pytest.mark.parametrize("wrong", ["--kind=c", "--count=1.5", "--rate=fast", "--from_stage=probe", "--unknown=1"])
def test_wrong_flags_are_refused(wrong):
    with pytest.raises(flags.Error):
        _parse(wrong)


def test_input_error_ends_a_program_with_one_sentence_and_exit_code_1():
    code = (
        "from tfrecords.errors import InputError; from tfrecords.options import run_main\n"
        "def main(argv): raise InputError('a.txt', 'it is empty', 'fill it', 2)\n"
        "run_main(main)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "error: a.txt, line 2: it is empty; fill it.\n")


def _run(module, *words):
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)


def test_help_shows_a_command_s_flags():
    shown = _run("data_pipeline.manifest", "--help").stdout
    assert "--workspace" in shown and "--subject_regex" in shown


def test_words_that_are_no_flags_are_refused():
    done = _run("data_pipeline.manifest", "--workspace=w", "folder")
    assert done.returncode == 1
    assert done.stderr.strip() == "error: folder: this command takes flags only; write --name=value, see --help."


def test_number_out_of_its_bounds_is_refused():
    done = _run("data_pipeline.detect", "--workspace=w", "--min_score=2")
    assert done.returncode != 0 and "min_score" in done.stderr


def test_path_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_text("")
    words = (f"--workspace={tmp_path / 'file' / 'w'}", f"--folder={tmp_path / 'videos'}")
    done = _run("data_pipeline.manifest", *words)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "check the path, its rights and the space on the disk" in done.stderr
