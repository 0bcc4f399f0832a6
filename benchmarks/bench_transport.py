"""Transport: time, evaluations and errors beside the printed algorithm and POT, in one run.

    python benchmarks/bench_transport.py [--bags 32] [--tokens 4146] [--prototypes 32] [--threads 2]

Every solver gets the same costs. Errors are L1 distances to a float64 solution with residual 1e-11, relative
to the mass, the worst bag. The printed algorithm (Algorithm 2, float64, sink exponent 1, batched) and POT
(float64, bag by bag; it can state the problem only at mass 1) run until that error is below 1e-5; what they
spend on measuring it is not counted. With fewer `--slow-bags` than `--bags` their time is scaled up, which is
in their favour: a smaller batch stays in the cache. Ratios are to our time at tolerance 1e-4.
With --small, shapes of small problems are timed instead. On a machine that others use at the same time,
`--clock cpu --threads 1` counts the processor time of this process instead of the time on the wall.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import ot
import torch
from common import parser_of

from sksurv_tta.transport import assignment_cost, curriculum_transport

CLOCK = time.perf_counter
EPSILON = 0.1
WANTED_ERROR = 1e-5


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


def make_cost(kind, n_bags, n_tokens, n_prototypes):
    """Costs of random directions, or of clusters of very unequal size around the prototypes ("peaked")."""
    generator = torch.Generator().manual_seed(0)
    prototypes = unit(torch.randn(n_prototypes, 256, generator=generator))
    tokens = torch.randn(n_bags, n_tokens, 256, generator=generator)
    if kind == "peaked":
        usage = torch.softmax(2 * torch.randn(n_prototypes, generator=generator), 0)
        which = torch.multinomial(usage, n_bags * n_tokens, replacement=True, generator=generator)
        tokens = prototypes[which].view_as(tokens) + 0.05 * tokens
    return assignment_cost(unit(tokens) @ prototypes.T / 0.5)


def error_of(plan, exact):
    distance = (plan.double() - exact).abs().sum(dim=(-2, -1))
    return float((distance / exact.sum(dim=(-2, -1))).max())


def median_ms(call, repeats):
    call()
    times = []
    for _ in range(repeats):
        start = CLOCK()
        call()
        times.append(CLOCK() - start)
    return 1e3 * statistics.median(times)


def time_printed(cost, mass, kl_weight, exact, max_sweeps=5000):
    """Milliseconds, sweeps and error of Algorithm 2 in scaling form on a batch."""
    cost = cost.double()
    n_tokens, n_prototypes = cost.shape[1:]
    spent, exponent = 0.0, kl_weight / (kl_weight + EPSILON)
    start = CLOCK()
    kernel = torch.exp(-cost / EPSILON)
    v, sink = torch.ones_like(cost[:, 0]), torch.ones_like(cost[:, 0, 0])
    spent += CLOCK() - start
    sweeps, error, pause = 0, math.inf, 10
    while error > WANTED_ERROR and sweeps < max_sweeps:
        start = CLOCK()
        for _ in range(pause):
            u = (1 / n_tokens) / ((kernel @ v.unsqueeze(2)).squeeze(2) + sink.unsqueeze(1))
            v = ((mass / n_prototypes) / (u.unsqueeze(1) @ kernel).squeeze(1)) ** exponent
            sink = (1 - mass) / u.sum(dim=1)
        spent += CLOCK() - start
        sweeps += pause
        error = error_of(u.unsqueeze(2) * kernel * v.unsqueeze(1), exact)
    return 1e3 * spent, sweeps, error


def time_pot(cost, kl_weight, exact):
    """Milliseconds and error of POT's semi-relaxed solver at mass 1, bag by bag."""
    rows = np.full(cost.shape[1], 1 / cost.shape[1])
    columns = np.full(cost.shape[2], 1 / cost.shape[2])
    spent, worst = 0.0, 0.0
    for bag in range(cost.shape[0]):
        matrix = cost[bag].double().numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it announces at every call how it treats the entropy
            start = CLOCK()
            plan = ot.unbalanced.sinkhorn_unbalanced(
                rows, columns, matrix, EPSILON, (math.inf, kl_weight), reg_type="entropy",
                numItermax=5000, stopThr=1e-6,
            )  # fmt: skip
            spent += CLOCK() - start
        worst = max(worst, error_of(torch.from_numpy(plan), exact[bag]))
    return 1e3 * spent, worst


def compare(args):
    rows = []
    print(
        f"{'cost':7} {'gamma':>5} {'mass':>5} | {'ours ms':>8} {'eval':>4} {'residual':>8} {'error':>7} |",
        end="",
    )
    print(
        f" {'1e-6: ms':>8} {'eval':>4} {'error':>7} | {'printed ms':>10} {'sweeps':>6} {'ratio':>6} |", end=""
    )
    print(f" {'POT ms':>8} {'error':>7} {'ratio':>6}")
    for kind in ("random", "peaked"):
        cost = make_cost(kind, args.bags, args.tokens, args.prototypes)
        few, scale = cost[: args.slow_bags], args.bags / min(args.slow_bags, args.bags)
        for kl_weight in (0.1, 1.0):
            for mass in (0.1, 0.5, 1.0):
                exact = torch.cat(
                    [
                        curriculum_transport(bag[None].double(), mass, kl_weight=kl_weight, tol=1e-11).plan
                        for bag in cost
                    ]
                )
                row = {"cost": kind, "kl_weight": kl_weight, "mass": mass}
                for tol, name in ((1e-4, "ours"), (1e-6, "ours_fine")):
                    solve = partial(curriculum_transport, cost, mass, kl_weight=kl_weight, tol=tol)
                    result = solve()
                    row[f"{name}_ms"] = median_ms(solve, args.repeats)
                    row[f"{name}_evaluations"] = int(result.n_iter.max())
                    row[f"{name}_residual"] = float(result.residual.max())
                    row[f"{name}_error"] = error_of(result.plan, exact)
                printed = time_printed(few, mass, kl_weight, exact[: args.slow_bags])
                row["printed_ms"], row["printed_sweeps"], row["printed_error"] = (
                    scale * printed[0],
                    *printed[1:],
                )
                row["printed_ratio"] = row["printed_ms"] / row["ours_ms"]
                if mass == 1.0:
                    pot = time_pot(few, kl_weight, exact[: args.slow_bags])
                    row["pot_ms"], row["pot_error"] = scale * pot[0], pot[1]
                    row["pot_ratio"] = row["pot_ms"] / row["ours_ms"]
                rows.append(row)
                print_row(row)
    return rows


def print_row(row):
    parts = [
        f"{row['cost']:7} {row['kl_weight']:5} {row['mass']:5}",
        f"{row['ours_ms']:8.1f} {row['ours_evaluations']:4} {row['ours_residual']:8.0e}"
        f" {row['ours_error']:7.0e}",
        f"{row['ours_fine_ms']:8.1f} {row['ours_fine_evaluations']:4} {row['ours_fine_error']:7.0e}",
        f"{row['printed_ms']:10.0f} {row['printed_sweeps']:6} {row['printed_ratio']:6.0f}",
        f"{row['pot_ms']:8.0f} {row['pot_error']:7.0e} {row['pot_ratio']:6.0f}" if "pot_ms" in row else "",
    ]
    print(" | ".join(parts), flush=True)


def compare_small(args):
    rows = []
    print(f"{'shape':>15} {'cost':7} {'mass':>5} {'ms':>7} {'evaluations':>11}")
    for n_bags, n_tokens in ((1, 4146), (40, 205), (32, 60), (32, 150), (32, 250)):
        for kind in ("random", "peaked"):
            cost = make_cost(kind, n_bags, n_tokens, args.prototypes)
            for mass in (0.1, 0.5, 1.0):
                solve = partial(curriculum_transport, cost, mass, tol=1e-4)
                row = {
                    "bags": n_bags, "tokens": n_tokens, "cost": kind, "mass": mass,
                    "ms": median_ms(solve, 5 * args.repeats), "evaluations": int(solve().n_iter.max()),
                }  # fmt: skip
                rows.append(row)
                shape = f"{n_bags:>8} x{n_tokens:5}"
                print(f"{shape} {kind:7} {mass:5} {row['ms']:7.2f} {row['evaluations']:11}", flush=True)
    return rows


def main():
    parser = parser_of(__doc__, bags=32, tokens=4146, prototypes=32, threads=2, repeats=5, slow_bags=32)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--small", action="store_true", help="time small problems only")
    parser.set_defaults(json=Path("bench_transport.json"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.clock == "cpu":
        globals()["CLOCK"] = time.process_time
    load = os.getloadavg()[0]
    rows = compare_small(args) if args.small else compare(args)
    settings = {name: value for name, value in vars(args).items() if name != "json"}
    versions = {"torch": torch.__version__, "pot": ot.__version__}
    record = {"settings": settings, "versions": versions, "load_before": load, "rows": rows}
    args.json.write_text(json.dumps(record, indent=1) + "\n")
    print(f"load average {load:.1f} before and {os.getloadavg()[0]:.1f} after; written to {args.json}")


if __name__ == "__main__":
    main()
