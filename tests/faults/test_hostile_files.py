"""Opening files of strangers runs no code, and opens nothing but what was given.

A child process opens one hostile file of each kind under Python's audit hook, which sees every file that is
opened, every process that is started and every connection that is made, whoever asks for it.
"""

import json
import os
import pickle  # noqa: TID251 - the attack
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
import torch

OPEN_ALL = """
import json, sys
import importlib.util, torch, h5py, pandas, zipfile
if importlib.util.find_spec("pyarrow"):
    import pyarrow
import torch._C, torch.serialization, torch.utils.serialization
from sksurv_tta import load_model, read_gmt
from sksurv_tta.bags import open_store, read_bag, read_checksums, read_packed
from sksurv_tta.exceptions import SksurvTTAError
from sksurv_tta.training.checkpoints import Checkpoints

def checkpoint(path):
    checkpoints = Checkpoints(path, {}, 0)
    checkpoints.folder = __import__("pathlib").Path(path)
    with checkpoints:
        pass

READERS = {
    "bag": lambda path: (read_bag(path).read(), read_bag(path).coordinates), "store": open_store,
    "packed": read_packed, "model": load_model, "gmt": read_gmt, "checkpoint": checkpoint,
    "list": read_checksums,
}
seen = []
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        seen.append(["open", arguments[0]])
    elif event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect"):
        seen.append([event, str(arguments)])
sys.addaudithook(hook)
answers = {}
for name, kind in json.loads(sys.argv[1]).items():
    try:
        READERS[kind](name)
        answers[name] = "opened"
    except SksurvTTAError as error:
        answers[name] = type(error).__name__
    except OSError as error:
        answers[name] = "OSError"
print(json.dumps([answers, seen]))
"""


class Command:
    """What a pickle of it does when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def hostile_files(folder, secret, marker):
    """Write one file for each trick; returns {path: reader}."""
    bomb = pickle.dumps(Command(marker))
    plain = {
        "pickle.pt": "bag", "pickle.npy": "bag", "model.safetensors": "model", "sets.gmt": "gmt",
        "epoch-00001.safetensors": None,
    }  # fmt: skip
    for name in plain:
        (folder / name).write_bytes(bomb)
    torch.save({"features": Command(marker)}, folder / "command.pt")  # noqa: TID251 - the attack
    np.save(folder / "objects.npy", np.array([Command(marker)], dtype=object), allow_pickle=True)
    np.savez(folder / "objects.npz", features=np.array([Command(marker)], dtype=object))
    ids = np.array([Command(marker)], dtype=object)
    np.savez(folder / "packed.npz", X=np.ones((2, 2), "f4"), case_id=ids, case_ptr=np.array([0, 2]))
    with zipfile.ZipFile(folder / "out.npz", "w") as archive:
        archive.writestr("../../features.npy", b"\\x93NUMPY")
    with h5py.File(folder / "storage.h5", "w") as file:
        file.create_dataset("features", (4, 4), "f4", external=[(str(secret), 0, 64)])
    with h5py.File(folder / "link.h5", "w") as file:
        file["features"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "features")
    layout = h5py.VirtualLayout((4, 4), "f4")
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "features", (4, 4))
    with h5py.File(folder / "virtual.h5", "w") as file:
        file.create_virtual_dataset("features", layout)
    (folder / "store").mkdir()
    (folder / "store" / "store.json").write_text(json.dumps({"files": {str(secret): {"bytes": 64}}}))
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  {secret}\n")
    names = {name: kind for name, kind in plain.items() if kind}
    names |= {f"{name}.pt": "bag" for name in ("command",)} | {"objects.npy": "bag", "objects.npz": "bag"}
    names |= {"packed.npz": "packed", "out.npz": "bag", "storage.h5": "bag", "link.h5": "bag"}
    names |= {"virtual.h5": "bag", "store": "store", ".": "checkpoint"}
    return {str(folder / name): kind for name, kind in names.items()} | {str(folder): "list"}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    folder, outside = tmp_path_factory.mktemp("given"), tmp_path_factory.mktemp("outside")
    secret, marker = outside / "secret", outside / "ran"
    secret.write_bytes(b"top secret patient list ".ljust(64))
    with h5py.File(secret.with_suffix(".h5"), "w") as file:
        file["features"] = np.ones((4, 4), "f4")
    files = hostile_files(folder, secret, marker)
    command = [sys.executable, "-c", OPEN_ALL, json.dumps(files)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    answers, seen = json.loads(found.stdout.splitlines()[-1])
    return files, answers, seen, outside, marker


def test_every_hostile_file_is_refused_by_one_of_our_errors(opened):
    files, answers, *_ = opened
    assert set(answers) == set(files)
    assert set(answers.values()) <= {"BagFileError", "ModelFileError", "PathwayError"}


def test_no_planted_command_runs(opened):
    _, _, seen, _, marker = opened
    assert not marker.exists()
    assert [event for event, _ in seen if event != "open"] == []


def test_nothing_outside_of_what_was_given_is_opened(opened):
    _, _, seen, outside, _ = opened
    assert len(seen) > 10
    assert [path for _, path in seen if path.startswith(str(outside))] == []


def test_the_hook_would_see_a_command(tmp_path):
    """The search itself works: plain unpickling of the same file does run the command."""
    marker = tmp_path / "ran"
    (tmp_path / "bomb").write_bytes(pickle.dumps(Command(marker)))
    code = f"import pickle; pickle.load(open({str(tmp_path / 'bomb')!r}, 'rb'))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert marker.exists()
