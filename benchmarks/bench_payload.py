"""What one GridSearchCV task ships to a worker process, by where the bags are.

    python benchmarks/bench_payload.py [--patients 300] [--genes 500] [--json FILE]

A task carries X, y, the estimator and its indices; X is the same in every task. "bags" is the column of
bags alone. For bags in memory joblib puts arrays above 1 MB into shared memory once; "pickled" is what
plain pickle would ship, "by joblib" what is left in each task.
"""

import io
import json
import pickle  # noqa: TID251 - its output is measured, never loaded
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import parser_of

from sksurv_tta.bags import BagArray, open_store, write_store


class WithoutLargeArrays(pickle.Pickler):
    """Pickle as joblib does: an array above 1 MB is replaced by the name of its memory map."""

    def reducer_override(self, value):
        if isinstance(value, np.ndarray) and not value.dtype.hasobject and value.nbytes > 2**20:
            return str, ("/dev/shm/joblib_memmapping_folder/0123456789abcdef.pkl",)  # noqa: S108
        return NotImplemented


def sizes(X):
    """Bytes and seconds of pickling X, with and without shared memory."""
    start = time.perf_counter()
    plain = len(pickle.dumps(X, protocol=5))
    seconds = time.perf_counter() - start
    buffer = io.BytesIO()
    WithoutLargeArrays(buffer, protocol=5).dump(X)
    return {"pickled": plain, "by_joblib": buffer.tell(), "seconds": seconds}


def main():
    parser = parser_of(__doc__, patients=300, rows=300, width=1024, genes=500)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    arrays = [
        rng.standard_normal((options.rows, options.width), dtype=np.float32) for _ in range(options.patients)
    ]
    genes = pd.DataFrame(rng.normal(size=(options.patients, options.genes)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "20x_256px_0px_overlap", "features_uni_v1")
        folder.mkdir(parents=True)
        ids = [f"TCGA-XX-{row:04d}" for row in range(options.patients)]
        paths = [folder / f"{patient}-01Z-00-DX1.3CDF534E-958F-4467-AA7E-FD3C5A86AAAA.npy" for patient in ids]
        for path, values in zip(paths, arrays, strict=True):
            np.save(path, values[:8])
        write_store(Path(name, "store"), ids, BagArray.from_files(paths, ids=ids))
        columns = {
            "files": BagArray.from_files(paths, ids=ids),
            "packed store": open_store(Path(name, "store"))[1],
            "in memory": BagArray.from_arrays(arrays, ids=ids),
        }
        figures = {
            kind: {"bags": sizes(pd.DataFrame({"wsi": column})), "X": sizes(genes.assign(wsi=column))}
            for kind, column in columns.items()
        }
    size = f"{options.rows} x {options.width}"
    print(f"{options.patients} patients of {size} instances, {options.genes} genes; kB")
    print(f"{'bags are':<16}{'bags pickled':>14}{'by joblib':>12}{'X pickled':>14}{'by joblib':>12}{'ms':>9}")
    for kind, parts in figures.items():
        cells = [parts[part][way] / 1000 for part in ("bags", "X") for way in ("pickled", "by_joblib")]
        print(
            f"{kind:<16}{cells[0]:>14.1f}{cells[1]:>12.1f}{cells[2]:>14.1f}{cells[3]:>12.1f}"
            f"{1000 * parts['X']['seconds']:>9.1f}"
        )
    settings = {key: value for key, value in vars(options).items() if key != "json"}
    print(json.dumps({"settings": settings, "bytes": figures}))
    if options.json:
        options.json.write_text(json.dumps({"settings": settings, "bytes": figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
