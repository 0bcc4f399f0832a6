"""Trainings in processes of their own, which tests kill, starve and set against each other."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def trainer():
    """The functions of ``trainer.py``, for use in this process."""
    spec = importlib.util.spec_from_file_location("trainer", HERE / "trainer.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["trainer"] = module  # callbacks defined there can then be pickled
    spec.loader.exec_module(module)
    yield module
    del sys.modules["trainer"]


class Trainings:
    """Starts trainings and waits for them."""

    def __init__(self, process, folder):
        self.process, self.folder, self.numbers = process, folder, count()

    def _ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, checkpoints, **options):
        result = self.folder / f"result-{next(self.numbers)}.json"
        answer = self._ask({"do": "start", "folder": str(checkpoints), "result": str(result), **options})
        return answer["pid"], result

    def finish(self, training, **options):
        pid, result = training
        answer = self._ask({"do": "finish", "pid": pid, **options})
        return answer | (json.loads(result.read_text()) if result.exists() else {})

    def run(self, checkpoints, **options):
        return self.finish(self.start(checkpoints, **options))

    def until_reached(self, training):
        """Wait until a training with ``action="sleep"`` has come to its moment."""
        flag = Path(f"{training[1]}.reached")
        deadline = time.monotonic() + 60
        while not flag.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(scope="session")
def trainings(tmp_path_factory):
    process = subprocess.Popen(
        [sys.executable, str(HERE / "trainer.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    yield Trainings(process, tmp_path_factory.mktemp("results"))
    process.stdin.close()
    process.wait(timeout=60)
    process.stdout.close()


@pytest.fixture(scope="session")
def undisturbed(trainings, tmp_path_factory):
    """Digest of a training that nothing happened to, and how many seconds it took."""
    answer = trainings.run(tmp_path_factory.mktemp("undisturbed"))
    assert answer["code"] == 0
    assert not answer["warnings"]
    return answer
