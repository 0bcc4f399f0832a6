"""Random rows of a bag out of each file format, against the packed store in the same run.

    python benchmarks/bench_readers.py [--slides 6] [--rows 8000] [--width 1024] [--draw 4096] [--json FILE]

Files are written to a temporary folder and read warm. A reader's time is the median over slides and
repeats for ``draw`` random sorted rows, checked to be finite: "read" converts to float32, "raw" does not.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
from common import parser_of

from sksurv_tta.bags import BagArray, open_store, write_store


def write_files(folder, n_slides, n_rows, width):
    """Write the same features in each layout; return the paths by layout."""
    rng = np.random.default_rng(0)
    layouts = {
        "npy": None,
        "h5 contiguous": {},
        "h5 chunks of 256 rows": {"chunks": (min(256, n_rows), width)},
        "h5 chunks of 1 row, float32": {"chunks": (1, width)},
    }
    paths = {name: [] for name in layouts}
    for slide in range(n_slides):
        values = rng.standard_normal((n_rows, width), dtype=np.float32).astype(np.float16)
        for number, (name, storage) in enumerate(layouts.items()):
            path = folder / f"{number}_{slide}{'.npy' if storage is None else '.h5'}"
            if storage is None:
                np.save(path, values)
            else:
                with h5py.File(path, "w") as file:
                    data = values.astype(np.float32) if "float32" in name else values
                    file.create_dataset("features", data=data, **storage)
            paths[name].append(path)
    return paths


def seconds_per_bag(bags, draws, repeats):
    """Median seconds for one draw of rows from one bag, as float32 and as stored."""
    out = np.empty((len(draws[0]), bags.n_features), np.float32)
    ways = {"read": lambda bag, rows: bag.read(rows, out=out), "raw": lambda bag, rows: bag.read_raw(rows)}
    times = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for bag, rows in zip(bags, draws, strict=True):
            for way, read in ways.items():
                start = time.perf_counter()
                read(bag, rows)
                if repeat > 0:  # the first round warms the page cache
                    times[way].append(time.perf_counter() - start)
    return {way: statistics.median(values) for way, values in times.items()}


def main():
    parser = parser_of(__doc__, slides=6, rows=8000, width=1024, draw=4096, repeats=3)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    draws = [
        np.sort(rng.choice(options.rows, min(options.draw, options.rows), replace=False))
        for _ in range(options.slides)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_files(folder, options.slides, options.rows, options.width)
        write_store(folder / "store", range(options.slides), BagArray.from_files(paths["npy"]))
        columns = {"packed store": open_store(folder / "store")[1]}
        columns |= {layout: BagArray.from_files(files) for layout, files in paths.items()}
        seconds = {layout: seconds_per_bag(bags, draws, options.repeats) for layout, bags in columns.items()}
    flat = seconds["packed store"]
    print(f"{options.draw} of {options.rows} rows x {options.width}, median ms per slide, ratio to the store")
    print(f"{'layout':<30}{'read':>9}{'ratio':>9}{'raw':>9}{'ratio':>9}")
    for layout, ways in seconds.items():
        cells = [cell for way in ("read", "raw") for cell in (1000 * ways[way], ways[way] / flat[way])]
        print(f"{layout:<30}{cells[0]:>9.2f}{cells[1]:>9.1f}{cells[2]:>9.2f}{cells[3]:>9.1f}")
    figures = {
        "settings": {key: value for key, value in vars(options).items() if key != "json"},
        "milliseconds": {
            layout: {way: 1000 * value for way, value in ways.items()} for layout, ways in seconds.items()
        },
        "ratio_to_store": {
            layout: {way: value / flat[way] for way, value in ways.items()}
            for layout, ways in seconds.items()
        },
    }
    print(json.dumps(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
