"""One training step of full size through ``fit``, beside plain automatic differentiation, in one run.

    python benchmarks/bench_step.py [--patients 32] [--instances 4096] [--features 1024] [--threads 2]

"fit" is the time between the beginning and the end of a batch in the estimator's own training, reading and
optimiser included; the median over steps without the first two. "transport" is the part of it inside the
solver. "plain" is the same network with the whole batch in one graph and one backward pass.
"""

import statistics
import time

import numpy as np
import torch
from common import estimator, make_patients, median_seconds, parser_of, report
from skorch.callbacks import Callback

from sksurv_tta.networks.together import PrototypeAssignment
from sksurv_tta.training import CoxCriterion
from sksurv_tta.training.batches import Batch


class Stopwatch(Callback):
    """Seconds of each step, and of the transport within it."""

    def __init__(self):
        self.steps, self.transports, self.data, self.spent = [], [], None, 0.0

    def solve(self, assignment, *args):
        start = time.perf_counter()
        plan = self.real(assignment, *args)
        self.spent += time.perf_counter() - start
        return plan

    def on_train_begin(self, net, **kwargs):
        self.real = PrototypeAssignment._plan
        PrototypeAssignment._plan = lambda assignment, *args: self.solve(assignment, *args)

    def on_train_end(self, net, **kwargs):
        PrototypeAssignment._plan = self.real

    def on_batch_begin(self, net, batch=None, training=True, **kwargs):
        self.data, self.spent, self.start = batch.data, 0.0, time.perf_counter()

    def on_batch_end(self, net, **kwargs):
        self.steps.append(time.perf_counter() - self.start)
        self.transports.append(self.spent)


def time_fit(X, y, pathways, n_steps, **options):
    """Milliseconds of a step through ``fit``, and what it trained on."""
    watch = Stopwatch()
    fitted = estimator(pathways, max_epochs=n_steps + 2, callbacks=[watch], **options).fit(X, y)
    seconds, transport = (statistics.median(times[2:]) for times in (watch.steps, watch.transports))
    return 1e3 * seconds, 1e3 * transport, fitted.net_, watch.data


def plain_step(network, batch, criterion):
    """Loss and backward pass of a batch in a single graph."""
    network.zero_grad()
    tokens, n_tokens = network.encode_profiles(batch.profiles())
    profiles = tokens.view(len(batch), n_tokens, -1)
    embedding = network.embed(batch.load(np.arange(len(batch)), profiles, network.device))
    output = network(embedding.tokens, batch.data.present[torch.from_numpy(batch.rows)])
    losses = dict(output.losses) | {name: each.mean() for name, each in embedding.losses.items()}
    loss = criterion(output.prediction, batch.outcome)
    loss = loss + sum(network.loss_weights[name] * value for name, value in losses.items())
    loss.backward()


def whole_batch(net, data):
    """All patients as one batch."""
    return Batch(
        data, np.arange(len(data)), seed=0, epoch=0, step=0, bag_size=net.bag_size,
        n_profile_tokens=net.n_profile_tokens,
    )  # fmt: skip


def time_plain(net, data, repeats):
    """Milliseconds of the same step as one graph, without the optimiser."""
    network, batch = net.module_.train(), whole_batch(net, data)

    def step():
        with net._autocast():
            plain_step(network, batch, CoxCriterion())

    return 1e3 * median_seconds(step, repeats)


def main():
    parser = parser_of(__doc__, patients=32, instances=4096, features=1024, threads=2, steps=5)
    parser.add_argument("--plain-steps", type=int, default=2, help="0 leaves the reference out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    X, y, pathways = make_patients(options.patients, options.instances, options.features)
    rows = []
    for precision in ("float32", "bfloat16"):
        for low_memory in (False, True):
            fit, transport, net, data = time_fit(
                X, y, pathways, options.steps, precision=precision, low_memory=low_memory,
                batch_size=options.patients, bag_size=options.instances,
            )  # fmt: skip
            row = {
                "precision": precision, "low_memory": low_memory, "fit_ms": fit,
                "transport_ms": transport, "transport_share": transport / fit,
            }  # fmt: skip
            if options.plain_steps and not low_memory:
                row["plain_ms"] = time_plain(net, data, options.plain_steps)
                row["plain_ratio"] = row["plain_ms"] / fit
            rows.append(row)
    report("step", vars(options), rows, options.json)


if __name__ == "__main__":
    main()
