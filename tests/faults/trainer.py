"""A process that forks trainings of a tiny model on request, so that they can be killed.

It imports the package once: a training that starts anew after a kill costs a fork, not seconds
of imports. Reads one JSON request per line, writes one JSON answer per line.
"""

import contextlib
import json
import locale
import os
import resource
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback
from sksurv.util import Surv

from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.training.tensor_files import digest

torch.set_num_threads(1)
N_EPOCHS = 5
TINY = {
    "recipe": "paper",
    "token_dim": 8,
    "prototype_dim": 8,
    "n_prototypes": 3,
    "n_heads": 2,
    "batch_size": 8,
}


def tiny_patients():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 10))
    return X, Surv.from_arrays(rng.random(20) < 0.6, rng.exponential(10, 20) + 0.1)


def weights_digest(estimator):
    """Sha256 of all weights and buffers, of the history without durations, and of the predictions."""
    history = estimator.history_.drop(columns="dur").to_csv()
    rule = torch.from_numpy(np.stack([estimator._rule.times, estimator._rule.baseline]))
    return digest(history, {"rule": rule} | estimator.net_.module_.state_dict())


class At(Callback):
    """Do something at one batch of one epoch, or inside its step; ``None`` for never. Counts the steps."""

    def __init__(self, moment=None, action=None, inside=False):
        self.moment, self.action, self.inside = moment, action, inside
        self.n_steps_ = 0

    def _act(self, net, batch):
        if self.moment and (len(net.history), batch.step) == tuple(self.moment):
            self.action()

    def on_grad_computed(self, net, batch=None, training=True, **kwargs):
        if training and self.inside:
            self._act(net, batch)

    def on_batch_end(self, net, batch=None, training=True, **kwargs):
        if training:
            self.n_steps_ += 1
            if not self.inside:
                self._act(net, batch)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt():
    """Ctrl-C, as the terminal sends it."""
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_twice():
    """Ctrl-C of somebody who does not want to wait."""
    interrupt()
    interrupt()


def die_in_writer(name, number, before):
    """Die just before or just after the ``number``-th call of a function of ``os``."""
    original, calls = getattr(os, name), []

    def dying(*args, **kwargs):
        calls.append(name)
        if before and len(calls) == number:
            die()
        result = original(*args, **kwargs)
        if len(calls) == number:
            die()
        return result

    setattr(os, name, dying)


def sleeping(path):
    """Say that the moment has come, and wait."""

    def sleep():
        Path(path).touch()
        time.sleep(60)

    return sleep


def turn_back_the_clock():
    """Let time run backwards, in another zone and with a comma in every number where the system has one."""
    now = [4e9]

    def earlier():
        now[0] -= 1000.0
        return now[0]

    time.time = time.perf_counter = earlier
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C"):
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, name)
            break


def train(request):
    actions = {
        "die": die,
        "sleep": sleeping(request["result"] + ".reached"),
        "interrupt": interrupt,
        "interrupt twice": interrupt_twice,
    }
    at = At(request.get("moment"), actions[request.get("action", "die")], request.get("inside", False))
    if request.get("odd_clock"):
        turn_back_the_clock()
    if "writer" in request:
        die_in_writer(*request["writer"])
    estimator = TTASurvivalEstimator(
        **TINY,
        max_epochs=N_EPOCHS,
        random_state=request.get("seed", 0),
        checkpoint_dir=request["folder"],
        callbacks=[at],
    )
    if "largest_file" in request:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"], resource.RLIM_INFINITY))
    answer = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            answer["digest"] = weights_digest(estimator.fit(*tiny_patients()))
        except BaseException as error:  # noqa: BLE001 - reported to the test
            answer |= {"error": type(error).__name__, "message": str(error)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    answer["warnings"] = [f"{type(w.message).__name__}: {w.message}" for w in caught]
    answer |= {"fitted": hasattr(estimator, "net_"), "steps": at.n_steps_}
    Path(request["result"]).write_text(json.dumps(answer))


def start(request):
    pid = os.fork()
    if pid:
        return {"pid": pid}
    try:
        train(request)
        os._exit(0)
    finally:
        os._exit(70)  # whatever went wrong, the child must not read requests


def finish(request):
    """Wait for a training, after sending it a signal if asked; how it ended and what it wrote."""
    if "signal" in request:
        os.kill(request["pid"], request["signal"])
    started = time.monotonic()
    _, status = os.waitpid(request["pid"], 0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}


def main():
    # What torch imports at the first step, children need not import again.
    TTASurvivalEstimator(**TINY, max_epochs=1).fit(*tiny_patients())
    for line in sys.stdin:
        request = json.loads(line)
        answer = start(request) if request["do"] == "start" else finish(request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # A test run in the background of a shell inherits an ignored SIGINT; this child must hear it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
