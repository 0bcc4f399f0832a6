"""The corpus of damaged files that the fuzzer found worth keeping: made, and read again.

    python tests/faults/corpus.py --make corpus     # write the folder anew, a minute
    python tests/faults/corpus.py                   # read every file of it; a line of JSON for each

Of many damaged files those are kept whose refusal is the rarest of their format, and one that reads as other
values where the format has no checksum. Besides, there is each kind of damage that was once a finding. Files
are packed with gzip, as most of an HDF5 file is empty. ``index.json`` says of each what was damaged, by which
case of ``fuzz.py``, and what has to come out: a refusal, or the digest of the values. Made again, most files
are the same; models and checkpoints hold durations, and old ``.pt`` files addresses.
"""

import argparse
import gzip
import hashlib
import json
import random
import re
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from textwrap import shorten

import fuzz_targets
import numpy as np
from mutations import mutate

from sksurv_tta import load_model, read_cohort, read_gmt
from sksurv_tta.bags import BagArray, open_store, read_bag, read_packed
from sksurv_tta.exceptions import SksurvTTAError
from sksurv_tta.training.tensor_files import UnreadableFileError, open_file

CORPUS = Path(__file__).with_name("corpus")
SEED = 0
N_REFUSED = 2  # kinds of refusal that are kept of a format
CASES = {
    "bags": 2800, "packed": 300, "lists": 60, "models": 60, "checkpoints": 60, "pathways": 400, "tables": 400,
}  # fmt: skip
#: Files that are read together with the damaged one.
PARTNERS = {"lists": ("plain.h5",), "packed": ("store/*",), "tables": ("clinical.csv", "expression.csv")}
#: A network so small that its files are.
SMALLEST = {
    "recipe": "paper", "token_dim": 2, "prototype_dim": 2, "n_prototypes": 2, "n_heads": 1, "max_epochs": 2,
}  # fmt: skip


# Reading


def _digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else repr(part).encode())
    return total.hexdigest()[:16]


def _of_bag(bag):
    coordinates = bag.coordinates
    pairs = b"" if coordinates is None else np.asarray(coordinates, np.float64).tobytes()
    return _digest(bag.read().tobytes(), pairs, bag.patch_size_level0, bag.shape)


def _of_packed(found):
    ids, bags = found
    return _digest(ids, *(None if bag is None else _of_bag(bag) for bag in bags))


def _read_packed(folder, victim):
    path = folder / victim
    is_file = path.suffix == ".npz"
    return _of_packed(read_packed(path) if is_file else open_store(path.parent, verify="sha256"))


def _read_list(folder, victim):
    return _of_bag(BagArray.from_files([folder / "plain.h5"], verify="sha256")[0])


def _read_model(folder, victim):
    load_model(folder / victim).save(folder / "again")
    return _digest((folder / "again").read_bytes())


def _read_checkpoint(folder, victim):
    file = open_file(folder / victim)
    tensors = {name: value.numpy().tobytes() for name, value in file.read().items()}
    return _digest(file.content, sorted(tensors.items()))


def _read_tables(folder, victim):
    expression = folder / (victim if victim.startswith("rna") else "expression.csv")
    found = read_cohort(
        outcomes=folder / "clinical.csv", expression=expression, missing="allow", time="time", event="event"
    )
    names = [str(name) for name in (*found.ids, *found.X.columns)]
    return _digest(names, found.X.to_numpy(float).tobytes(), found.y.tobytes())


READERS = {
    "bags": lambda folder, victim: _of_bag(read_bag(folder / victim)),
    "packed": _read_packed,
    "lists": _read_list,
    "models": _read_model,
    "checkpoints": _read_checkpoint,
    "pathways": lambda folder, victim: _digest(list(read_gmt(folder / victim).items())),
    "tables": _read_tables,
}


def read(kind, victim, data, partners):
    """What comes out of a damaged file beside sound ones: "refused" and why, or a digest and nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, content in (partners | {victim: data}).items():
            (folder / place).parent.mkdir(exist_ok=True)
            (folder / place).write_bytes(content)
        try:
            return READERS[kind](folder, victim), ""
        except (SksurvTTAError, UnreadableFileError) as error:
            return "refused", str(error).replace(f"{folder}/", "")


def check():
    """Read all files of the corpus and say what came out."""
    for name, facts in json.loads((CORPUS / "index.json").read_text()).items():
        sound = CORPUS / "sound" / facts["kind"]
        partners = {
            path.relative_to(sound).with_suffix("").as_posix(): gzip.decompress(path.read_bytes())
            for path in sound.rglob("*.gz")
        }
        data = gzip.decompress((CORPUS / name).read_bytes())
        outcome, reason = read(facts["kind"], facts["victim"], data, partners)
        sys.stdout.write(json.dumps({"name": name, "outcome": outcome, "reason": reason}) + "\n")
        sys.stdout.flush()


# Making


def makers():
    """What makes sound files of each kind; models and checkpoints are as small as can be."""
    return fuzz_targets.KINDS | {
        "models": lambda folder: fuzz_targets.models(folder, **SMALLEST),
        "checkpoints": lambda folder: fuzz_targets.checkpoints(folder, **SMALLEST),
    }


def drawn(targets, kind):
    """Name, bytes and origin of the fuzzer's cases, judged by the fuzzer: none of them may be a finding."""
    for number in range(CASES[kind]):
        chance = random.Random(f"{kind}-{SEED}-{number}")  # noqa: S311 - not for secrets
        target = targets[number % len(targets)]
        victim = target.folder / chance.choice(target.victims)
        sound = victim.read_bytes()
        victim.write_bytes(mutate(sound, chance))
        try:
            verdict = target.look()
            if verdict.startswith("wrong"):
                raise AssertionError(f"case {number} of {kind} is a finding: {verdict}")
            if verdict != "equal":
                yield victim, victim.read_bytes(), f"case {number} of seed {SEED}"
        finally:
            victim.write_bytes(sound)


def _hole(data, mark, skip, length, filling=b"\0"):
    start = data.index(mark) + skip
    return data[:start] + length * filling + data[start + length :]


#: Damage that was a finding once: kind, file, what it is, and how to do it.
PLANTED = (
    ("bags", "packed.h5", "a heap of texts that is zero", lambda data: _hole(data, b"GCOL", 0, 4096)),
    ("bags", "packed.h5", "a heap whose first block is zero", lambda data: _hole(data, b"GCOL", 16, 16)),
    ("bags", "chunked.h5", "a hole in the index of chunks", lambda data: _hole(data, b"TREE\x01", 64, 16)),
    ("bags", "old.pt", "a length of gigabytes", lambda data: _hole(data, b"\xc0\x00\x00\x00", 3, 1, b"\x7f")),
    ("tables", "clinical.csv", "two columns of ids", lambda data: re.sub(rb"(?m)^([^,]*,)", rb"\1\1", data)),
)  # fmt: skip


def planted(kind, folder):
    """Name, bytes and origin of the damage that was a finding once."""
    for of_kind, name, what, damage in PLANTED:
        if of_kind == kind:
            sound = (folder / name).read_bytes()
            damaged = damage(sound)
            assert damaged != sound, what
            yield folder / name, damaged, what


def _signature(reason):
    """Refusal without what differs from case to case; of another library's words, the first."""
    text = re.sub(r"(cannot be read[\w ]*)\W*(\w*).*", r"\1: \2", " ".join(reason.split()))
    return re.sub(r"'[^']*'|\([^)]*\)|[\d,]+", "#", text)[:70]


def choose(kind, folder, targets, partners):
    """Damaged files that are kept of one kind, as (victim, bytes, outcome, reason, origin)."""
    kept, found = [], {}
    for victim, data, origin in drawn(targets, kind):
        name = victim.relative_to(folder).as_posix() if kind == "packed" else victim.name
        outcome, reason = read(kind, name, data, partners)
        key = _signature(reason) if outcome == "refused" else "values"
        case = (len(data), data, outcome, reason, origin)
        found.setdefault(name, {}).setdefault(key, []).append(case)
    for name, by_key in sorted(found.items()):
        values = by_key.pop("values", None)
        rarest = sorted(by_key.values(), key=len)[:N_REFUSED]
        for cases in [*rarest, *([values] if values else [])]:
            kept.append((name, *min(cases)[1:]))
    for victim, data, origin in planted(kind, folder):
        kept.append((victim.name, data, *read(kind, victim.name, data, partners), origin))
    return kept


def make(corpus, kinds):
    """Write the folder anew."""
    shutil.rmtree(corpus, ignore_errors=True)
    index, all_makers = {}, makers()
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            targets = all_makers[kind](folder)
            partners = {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for pattern in PARTNERS.get(kind, ())
                for path in sorted(folder.glob(pattern))
            }
            for place, content in partners.items():
                _write_packed(corpus / "sound" / kind / f"{place}.gz", content)
            for number, case in enumerate(choose(kind, folder, targets, partners)):
                victim, data, outcome, reason, origin = case
                file = f"{kind}-{number:02d}-{Path(victim).name}.gz"
                _write_packed(corpus / file, data)
                facts = {"kind": kind, "victim": victim, "outcome": outcome, "origin": origin}
                index[file] = facts | {"reason": shorten(reason, 90)}
    lines = ",\n".join(f"{json.dumps(file)}: {json.dumps(facts)}" for file, facts in index.items())
    (corpus / "index.json").write_text(f"{{\n{lines}\n}}\n")


def _write_packed(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content, mtime=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="write the corpus anew")
    parser.add_argument("--kind", action="append", choices=list(CASES), help="make these kinds only")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.make is None:
        check()
    else:
        make(options.make, options.kind or list(CASES))


if __name__ == "__main__":
    main()
