"""How a training step through ``fit`` grows with instances, patients, prototypes and feature width.

    python benchmarks/bench_scaling.py [--patients 16] [--instances 2048] [--features 512] [--prototypes 32]

One size is changed at a time; the ratio is to the first row, which has the sizes given.
"""

import torch
from bench_step import time_fit
from common import make_patients, parser_of, report


def main():
    parser = parser_of(__doc__, patients=16, instances=2048, features=512, prototypes=32, threads=2, steps=4)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    names = ("patients", "instances", "features", "prototypes")
    given = {name: getattr(options, name) for name in names}
    cases = [("as given", given)]
    for name in names:
        for factor in (0.25, 0.5, 2):
            cases.append((name, given | {name: max(2, round(factor * given[name]))}))
    rows = []
    for changed, sizes in cases:
        X, y, pathways = make_patients(sizes["patients"], sizes["instances"], sizes["features"])
        step, transport, _, _ = time_fit(
            X, y, pathways, options.steps, n_prototypes=sizes["prototypes"],
            batch_size=sizes["patients"], bag_size=sizes["instances"],
        )  # fmt: skip
        rows.append({"changed": changed, **sizes, "step_ms": step, "transport_ms": transport})
        rows[-1]["ratio"] = step / rows[0]["step_ms"]
    report("scaling", vars(options), rows, options.json)


if __name__ == "__main__":
    main()
