"""What killed processes left is removed, what is being written and what is no temporary file stays."""

import os
import subprocess
import sys
import time

import pytest

from tfrecords.temporaries import OLD_SECONDS, sweep_temporaries, temporary_beside
from tfrecords.workspace import atomic_path


@pytest.fixture
def dead_process():
    """The number of a process that has ended and been waited for, and of one that is left as a zombie."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    yield ended.pid, zombie.pid
    zombie.wait()


def test_files_and_folders_of_dead_processes_go_and_all_others_stay(tmp_path, dead_process):
    with atomic_path(tmp_path / "2-25-640x360.mp4") as mine:
        mine.write_bytes(b"half")
        for process in dead_process:
            (tmp_path / mine.name.replace(str(os.getpid()), str(process))).touch()
        folder = tmp_path / temporary_beside(tmp_path / "crops").name.replace(str(os.getpid()), str(dead_process[0]))
        (folder / "inner").mkdir(parents=True)
        elsewhere = tmp_path / f".clip.{dead_process[0]}@elsewhere.tmp.mp4"
        elsewhere.touch()
        stay = {mine.name, elsewhere.name, ".hidden", f".a.{dead_process[0]}.txt", f"a.{dead_process[0]}@x.tmp.mp4"}
        for name in stay - {mine.name}:
            (tmp_path / name).touch()
        assert sweep_temporaries([tmp_path, tmp_path / "missing"]) == 3
        assert {path.name for path in tmp_path.iterdir()} == stay
    assert (tmp_path / "2-25-640x360.mp4").read_bytes() == b"half"


def test_a_temporary_of_another_machine_goes_when_it_has_not_changed_for_a_day(tmp_path):
    for name, age in [(".a.1@elsewhere.tmp.zip", 1.1), (".b.1@elsewhere.tmp.zip", 0.9), (".c.1.tmp.zip", 1.1)]:
        (tmp_path / name).touch()
        then = time.time() - age * OLD_SECONDS
        os.utime(tmp_path / name, (then, then))
    assert sweep_temporaries([tmp_path]) == 2
    assert [path.name for path in tmp_path.iterdir()] == [".b.1@elsewhere.tmp.zip"]


def test_number_taken_by_a_later_process_does_not_keep_a_file(tmp_path):
    mine = temporary_beside(tmp_path / "a.zip")
    mine.touch()
    os.utime(mine, (time.time() - 3600,) * 2)
    # This process, which is younger, did not write it.
    assert sweep_temporaries([tmp_path]) == 1
