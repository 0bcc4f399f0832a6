"""Damaged files of every kind, read in child processes: right values, or one of our errors, and nothing else.

``SKSURV_TTA_FUZZ`` sets how many cases of each kind are tried; ``fuzz.py`` runs the same on demand.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).with_name("fuzz.py")
N_CASES = int(os.environ.get("SKSURV_TTA_FUZZ", "45"))
KINDS = ("bags", "sealed", "packed", "lists", "models", "checkpoints", "pathways", "tables")
CHECKED = {"sealed", "packed", "lists", "models", "checkpoints"}  # everything in them is under a checksum


def run(kit, *arguments):
    command = [sys.executable, str(kit), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    return found.returncode, [json.loads(line) for line in found.stdout.splitlines()]


@pytest.fixture(scope="module")
def answers():
    code, lines = run(KIT, "--cases", str(N_CASES))
    return code, {line["kind"]: line for line in lines}


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_refused_or_harmless(answers, kind):
    code, lines = answers
    assert lines[kind]["findings"] == {}
    assert lines[kind]["cases"] == N_CASES
    assert lines[kind]["refused"] > 0.3 * N_CASES
    assert kind not in CHECKED or "altered" not in lines[kind]
    assert code == 0


def test_a_reader_that_lies_crashes_hangs_or_raises_what_is_not_ours_is_found(tmp_path):
    """The kit itself: each kind of finding, planted."""
    lying = tmp_path / "fuzz_targets.py"
    lying.write_text(
        "import os, signal\n"
        "from collections import namedtuple\n"
        "Target = namedtuple('Target', 'folder victims look may_alter')\n"
        "def crash(): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "def greedy(): return 'equal' if bytearray(2 * 2**30) else ''\n"
        "def looks(folder):\n"
        "    (folder / 'file').write_bytes(b'12345678')\n"
        "    said = ['equal', 'wrong: other values', 'altered']\n"
        "    said = [lambda word=word: word for word in said] + [crash, {}.popitem, greedy]\n"
        "    return [Target(folder, ('file',), look, False) for look in said]\n"
        "KINDS = {'bags': looks}\n"
    )
    for name in ("fuzz.py", "mutations.py"):
        (tmp_path / name).write_bytes(KIT.with_name(name).read_bytes())
    code, (counts,) = run(tmp_path / "fuzz.py", "--kind", "bags", "--cases", "12")
    assert code == 1
    assert counts["cases"] == 12
    assert (counts["equal"], counts["wrong"], counts["crash"], counts["foreign"]) == (2, 4, 2, 4)
    findings = counts["findings"]
    assert "other values" in findings["1"]
    assert "in spite of a checksum" in findings["2"]
    assert "exit code -11" in findings["3"]
    assert "KeyError" in findings["4"]
    assert "MemoryError" in findings["5"]
