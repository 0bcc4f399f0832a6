"""What the fuzzer damages, how it is then read, and how the answer is judged.

A target is a folder of sound files, the names of those that are damaged in turn, and a function that
reads the folder and says

``refused``   one of our errors, which names the file;
``equal``     the very values that were written;
``altered``   other values that are truly in the damaged file, by another reader: the format has no checksum;
``wrong: why``  anything else.

Whatever exception leaves the function is a foreign one.
"""

import csv
import gzip
import io
import json
from dataclasses import dataclass
from typing import Any

import fuzz_bags
import numpy as np
import torch

from sksurv_tta import load_model, read_cohort, read_gmt
from sksurv_tta.datasets import make_cohort, write_cohort
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.exceptions import (
    CheckpointMismatchError,
    CohortError,
    ModelFileError,
    PathwayError,
)
from sksurv_tta.training.checkpoints import Checkpoints
from sksurv_tta.training.tensor_files import open_file, pack

torch.set_num_threads(1)
TINY = {
    "token_dim": 8,
    "prototype_dim": 8,
    "n_prototypes": 3,
    "n_heads": 2,
    "max_epochs": 3,
    "random_state": 0,
}


@dataclass(frozen=True)
class Target:
    """A folder, the files in it to damage, and how to look at it."""

    folder: Any
    victims: tuple[str, ...]
    look: Any
    may_alter: bool = False


def estimator_of(cohort, **changes):
    return TTASurvivalEstimator(**TINY, pathways=cohort.pathways, **changes)


def small_cohort():
    return make_cohort(
        16, random_state=0, n_instances=(3, 6), n_features=5, n_pathways=3, genes_per_pathway=3, n_sites=4
    )


# Models and checkpoints: a digest inside


def models(folder):
    cohort = small_cohort()
    path = folder / "model.safetensors"
    estimator_of(cohort).fit(cohort.X, cohort.y).save(path)
    good, again = path.read_bytes(), folder / "again"

    def look():
        try:
            loaded = load_model(path)
        except ModelFileError as error:
            return "refused" if path.name in str(error) else f"wrong: {error} does not name the file"
        loaded.save(again)
        return "equal" if again.read_bytes() == good else "wrong: another model"

    return [Target(folder, (path.name,), look)]


def checkpoints(folder):
    cohort = small_cohort()
    estimator_of(cohort, checkpoint_dir=folder).fit(cohort.X, cohort.y)
    (run,) = (path for path in folder.iterdir() if path.is_dir())
    before, last = sorted(run.glob("epoch-*"))
    identity = json.loads(json.dumps(open_file(last).content["identity"]))
    good = (before.read_bytes(), last.read_bytes())

    def look():
        store = Checkpoints(folder, identity, 0)
        try:
            with store:
                found = pack(*store._found)
        except (ModelFileError, CheckpointMismatchError) as error:
            return "refused" if run.name in str(error) else f"wrong: {error} does not name the folder"
        if found == good[1]:
            return "equal"
        return (
            "refused" if found == good[0] else "wrong: another checkpoint"
        )  # the one before is gone on from

    return [Target(run, (last.name, last.name, before.name), look)]


# Pathways and tables: text, judged by another reader of the same bytes


PATHWAYS = {f"PATHWAY_{n}": [f"GENE{n}{k}" for k in range(4 + n)] for n in range(5)}


def gmt_oracle(data):
    """Name -> genes of the text of a GMT file, read in the plainest way."""
    sets = {}
    for line in data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.strip() and not line.startswith("#"):
            name, *rest = line.split("\t")
            sets[name.strip()] = list(dict.fromkeys(filter(None, (gene.strip() for gene in rest[1:]))))
    return sets


def json_oracle(data):
    content = json.loads(data.decode("utf-8-sig"))
    genes = {k.strip(): v if isinstance(v, list) else v["geneSymbols"] for k, v in content.items()}
    return {k: list(dict.fromkeys(filter(None, (str(g).strip() for g in v)))) for k, v in genes.items()}


def csv_oracle(data):
    names, *rows = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    columns = {n.strip(): [r[i] for r in rows if i < len(r)] for i, n in enumerate(names) if n.strip()}
    return {n: list(dict.fromkeys(filter(None, (c.strip() for c in cells)))) for n, cells in columns.items()}


def pathways(folder):
    lines = [f"{name}\tdescription\t" + "\t".join(genes) for name, genes in PATHWAYS.items()]
    gmt = ("\n".join(lines) + "\n").encode()
    longest = max(map(len, PATHWAYS.values()))
    rows = [list(PATHWAYS)] + [
        [genes[k] if k < len(genes) else "" for genes in PATHWAYS.values()] for k in range(longest)
    ]
    text = "\n".join(",".join(row) for row in rows) + "\n"
    contents = {
        "sets.gmt": (gmt, gmt_oracle),
        "packed.gmt.gz": (gzip.compress(gmt, mtime=0), lambda data: gmt_oracle(gzip.decompress(data))),
        "sets.json": (json.dumps({n: {"geneSymbols": g} for n, g in PATHWAYS.items()}).encode(), json_oracle),
        "sets.csv": (text.encode(), csv_oracle),
    }
    targets = []
    for name, (data, oracle) in contents.items():
        (folder / name).write_bytes(data)
        targets.append(Target(folder, (name,), _pathway_look(folder / name, oracle), may_alter=True))
    return targets


def _pathway_look(path, oracle):
    def look():
        try:
            found = read_gmt(path)
        except PathwayError as error:
            return "refused" if path.name in str(error) else f"wrong: {error} does not name the file"
        if found == PATHWAYS and list(found) == list(PATHWAYS):
            return "equal"
        return (
            "altered" if found == oracle(path.read_bytes()) else "wrong: another reader finds other pathways"
        )

    return look


def tables(folder):
    cohort = small_cohort()
    written = write_cohort(cohort, folder)
    columns = {"time": "time", "event": "event"}
    header = written.outcomes.read_text().split("\n", 1)[0].split(",")
    columns = {kind: next(name for name in header if kind in name.lower()) for kind in columns}
    good = (written.outcomes.read_bytes(), written.expression.read_bytes())

    def look():
        try:
            found = read_cohort(
                outcomes=written.outcomes, expression=written.expression, missing="allow", **columns
            )
        except CohortError:
            return "refused"
        return _judge_table(found, written, columns, good)

    names = (written.outcomes.name, written.expression.name)
    return [Target(folder, names, look, may_alter=True)]


def _judge_table(found, written, columns, good):
    if (written.outcomes.read_bytes(), written.expression.read_bytes()) == good:
        return "equal"
    outcomes, expression = map(_cells, (written.outcomes, written.expression))
    for row, patient in enumerate(found.ids):
        own = outcomes.get(patient, {})
        if _number(own.get(columns["time"])) != found.y["time"][row]:
            return f"wrong: time {found.y['time'][row]} of {patient!r}, {own} in the table"
        if _number(own.get(columns["event"])) != found.y["event"][row]:
            return f"wrong: event {found.y['event'][row]} of {patient!r}, {own} in the table"
        genes = expression.get(patient, {})
        for gene, value in found.X.iloc[row].items():
            if np.isnan(value):
                continue
            if not np.isclose(np.mean([float(cell) for cell in genes.get(gene, ())]), value, rtol=1e-14):
                return f"wrong: {gene} {value} of {patient!r}, {genes.get(gene)!r} in the table"
    return "altered"


def _cells(path):
    """Lists of cells by row name and column name, read in the plainest way."""
    text = path.read_bytes().decode("utf-8-sig")
    lines = list(io.StringIO(text, newline=""))
    while lines and lines[0].startswith("#"):
        lines.pop(0)
    separator = max(",\t;", key=lines[0].count)
    header, *rows = csv.reader(lines, delimiter=separator)
    header = [name.strip() for name in header]
    header = ["", *header] if rows and len(rows[0]) == len(header) + 1 else header
    cells = {}
    for row in filter(None, rows):
        own = cells.setdefault(row[0].strip(), {})
        if not own:  # the first row of a patient counts
            for name, cell in zip(header, row, strict=False):
                own.setdefault(name, []).append(cell)
    return cells


def _number(cells):
    words = {"True": 1.0, "False": 0.0}
    (text,) = cells or ("nan",)
    return words[text.strip()] if text.strip() in words else float(text)


KINDS = {
    "bags": fuzz_bags.plain,
    "sealed": fuzz_bags.sealed,
    "packed": fuzz_bags.packed,
    "lists": fuzz_bags.lists,
    "models": models,
    "checkpoints": checkpoints,
    "pathways": pathways,
    "tables": tables,
}
