"""A whole fold through ``fit``: training and the prediction that it ends with.

    python benchmarks/bench_fold.py [--patients 288] [--instances 4096] [--features 1024] [--epochs 30]
    python benchmarks/bench_fold.py --patients 200 --instances 40 --features 192 --threads 1    # small bags

With fewer than 30 epochs, "fold_s" is the median epoch times 30 plus the prediction. The floor is the time of
the multiplications of the network alone, once forward and twice backward except into the features, at the
rate that a matrix product of the encoder's shape reaches in the same run.
"""

import statistics
import time

import torch
from common import estimator, make_patients, median_seconds, parser_of, report

from sksurv_tta.networks.linear import linear

EPOCHS = 30


def rate(dtype):
    """Multiplications and additions in a second, in a product of the encoder's shape."""
    values, weight = torch.randn(4096, 1024).to(dtype), torch.randn(256, 1024).to(dtype)
    seconds = min(median_seconds(lambda: linear(values, weight), 5) for _ in range(5))
    return 2 * 4096 * 1024 * 256 / seconds


def operations(n_patients, n_instances, n_features, n_tokens=50, dim=256, n_prototypes=32):
    """Those of a training epoch: encoder, one head, logits, aggregation, and the part behind the cut."""
    tokens = n_instances + n_tokens
    forward = 2 * tokens * (dim * dim + 2 * n_prototypes * dim)
    behind = 2 * 2 * n_prototypes * 13 * dim * dim
    encoder = 2 * n_instances * n_features * dim
    return n_patients * (2 * encoder + 3 * (forward + behind))


def main():
    parser = parser_of(__doc__, patients=288, instances=4096, features=1024, epochs=EPOCHS, threads=2)
    parser.add_argument("--ragged", action="store_true", help="bags of half to full size")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    X, y, pathways = make_patients(
        options.patients, options.instances, options.features, ragged=options.ragged
    )
    rows = []
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        start = time.perf_counter()
        fitted = estimator(pathways, max_epochs=options.epochs, precision=precision).fit(X, y)
        seconds = time.perf_counter() - start
        epochs = list(fitted.history_["dur"])
        predicting = seconds - sum(epochs)  # fit ends with a prediction of its patients
        work = EPOCHS * operations(options.patients, options.instances, options.features)
        rows.append({
            "precision": precision, "measured_s": seconds, "epoch_s": statistics.median(epochs),
            "predict_s": predicting, "fold_s": EPOCHS * statistics.median(epochs) + predicting,
            "floor_s": work / rate(dtype), "rate_gflops": rate(dtype) / 1e9,
        })  # fmt: skip
    report("fold", vars(options), rows, options.json)


if __name__ == "__main__":
    main()
