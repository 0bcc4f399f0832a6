"""Damaged files that once were interesting: each is refused, or gives the values that are on record.

``corpus.py`` makes them and reads them; it reads in a process of its own, which a file may end.
"""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
INDEX = json.loads((CORPUS / "index.json").read_text())


def run(*arguments):
    command = [sys.executable, str(HERE / "corpus.py"), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=False).stdout


@pytest.fixture(scope="module")
def answers():
    lines = [json.loads(line) for line in run().splitlines()]
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("name", INDEX)
def test_a_file_of_the_corpus_is_refused_or_gives_the_values_on_record(answers, name):
    assert name in answers, "the reader did not get so far: it ended in this file or one before"
    facts, answer = INDEX[name], answers[name]
    assert answer["outcome"] in {"refused", facts["outcome"]}
    if answer["outcome"] == "refused" and facts["kind"] not in {"checkpoints", "tables"}:
        # Of checkpoints the caller names the file, of tables some refusals name patients or columns.
        assert Path(facts["victim"]).name in answer["reason"]


def test_every_kind_of_file_is_there_and_all_of_it_is_small():
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert {path.name for path in CORPUS.glob("*.gz")} == set(INDEX)
    assert sum(path.stat().st_size for path in files) < 100_000
    kinds = {
        kind: [f for f in INDEX.values() if f["kind"] == kind] for kind in {f["kind"] for f in INDEX.values()}
    }
    assert set(kinds) == {"bags", "packed", "lists", "models", "checkpoints", "pathways", "tables"}
    assert all(any(facts["outcome"] == "refused" for facts in of_kind) for of_kind in kinds.values())
    suffixes = {Path(facts["victim"]).suffix for facts in kinds["bags"]}
    assert suffixes == {".h5", ".npy", ".npz", ".pt"}


def test_the_corpus_can_be_made_again(tmp_path):
    run("--make", str(tmp_path), "--kind", "pathways")
    made = {path.name for path in tmp_path.glob("*.gz")}
    assert made == {name for name, facts in INDEX.items() if facts["kind"] == "pathways"}
    for name in made:
        if ".gmt.gz" not in name:  # what that holds was packed before, by whatever zlib was there
            assert gzip.decompress((tmp_path / name).read_bytes()) == gzip.decompress(
                (CORPUS / name).read_bytes()
            )
