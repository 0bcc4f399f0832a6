"""Pathways and tables as targets of the fuzzer: text, judged by another reader of the same bytes."""

import csv
import gzip
import io
import json
from importlib.util import find_spec

import numpy as np
import pandas as pd
from fuzz_kit import Target

from sksurv_tta import read_cohort, read_gmt
from sksurv_tta.datasets import make_cohort, write_cohort
from sksurv_tta.exceptions import CohortError, PathwayError


def small_cohort():
    return make_cohort(
        16, random_state=0, n_instances=(3, 6), n_features=5, n_pathways=3, genes_per_pathway=3, n_sites=4
    )


# Pathways


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


# Tables


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
    targets = [Target(folder, names, look, may_alter=True)] * 2
    return targets + [_other_table(folder, written, name, columns) for name in ("rna.csv.gz", "rna.parquet")]


def _other_table(folder, written, name, columns):
    """Expression in another format, judged by what pandas alone finds in the damaged file."""
    path = folder / name
    readers = {"rna.csv.gz": lambda: pd.read_csv(path), "rna.parquet": lambda: pd.read_parquet(path)}
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(written.expression.read_bytes(), mtime=0))
    elif find_spec("pyarrow") is None:
        return Target(folder, (written.outcomes.name,), lambda: "refused")
    else:
        pd.read_csv(written.expression).to_parquet(path)
    sound = readers[name]()

    def look():
        try:
            found = read_cohort(outcomes=written.outcomes, expression=path, missing="allow", **columns).X
        except CohortError:
            return "refused"
        truth = readers[name]()
        truth = truth.set_index(truth.columns[0]).select_dtypes("number")
        genes = [gene for gene in truth.columns if gene in found.columns]
        both = [patient for patient in found.index if patient in truth.index]
        if not np.array_equal(found.loc[both, genes], truth.loc[both, genes], equal_nan=True):
            return "wrong: another reader finds other values"
        return "equal" if truth.equals(sound.set_index(sound.columns[0])) else "altered"

    return Target(folder, (name,), look, may_alter=True)


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
