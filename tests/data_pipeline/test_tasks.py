import os
import signal

from data_pipeline.cluster import ClusterOptions, open_client
from data_pipeline.tasks import run_tasks
from tfrecords.workspace import Workspace


def test_item_that_kills_its_worker_costs_itself_only(tmp_path):
    # Sent by value: workers do not know this file.
    import cloudpickle

    cloudpickle.register_pickle_by_value(__import__(__name__))
    with open_client(Workspace(tmp_path), ClusterOptions(workers=1)) as client:
        found = dict(run_tasks(lambda: client, _work, range(5), "test", lambda: {"folder": str(tmp_path)}))
    assert found == {0: 0, 1: 10, 2: None, 3: 30, 4: 40}
    # Tried twice, the second time alone.
    assert (tmp_path / "2").read_text() == "xx"


def _work(number, folder):
    with open(f"{folder}/{number}", "a") as stream:
        stream.write("x")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * number
