"""Damage files in ten thousand ways and read them, in child processes: right, or refused.

    python tests/faults/fuzz.py                                 # a few hundred cases, some seconds
    python tests/faults/fuzz.py --cases 10000                   # of every kind
    python tests/faults/fuzz.py --cases 10000 --seconds 600     # the same, ten minutes at the most
    python tests/faults/fuzz.py --kind models --replay 4711     # one case in this process

A case is its kind, seed and number: nothing else is drawn from anywhere. It is a finding when the reader
ends the process, raises an error that is not ours, does not name the file, takes more than two seconds of
the processor or a gigabyte of memory, or gives values that are neither those written nor, where the format
has no checksum, those that another reader of the damaged file finds. The exit code is 1 if there is one.
"""

import argparse
import json
import os
import random
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

FINE = ("refused", "equal", "altered")
KINDS = ("bags", "sealed", "packed", "lists", "models", "checkpoints", "pathways", "tables")
MOST_SECONDS = 2.0  # of the processor, for one case
MOST_BYTES = 2**30  # above what the process holds before the first case
PATIENCE = 30.0  # seconds on the clock until a child counts as hanging


# The child: one case after another


def run_case(targets, kind, seed, number):
    """Damage, look, repair; what came out in one line."""
    from mutations import mutate

    chance = random.Random(f"{kind}-{seed}-{number}")  # noqa: S311 - not for secrets
    target = targets[number % len(targets)]
    victim = target.folder / chance.choice(target.victims)
    sound = victim.read_bytes()
    victim.write_bytes(mutate(sound, chance))
    started = time.process_time()
    try:
        answer = target.look()
    except BaseException as error:  # noqa: BLE001 - to find these is the purpose
        place = traceback.extract_tb(error.__traceback__)[-1]
        answer = f"foreign: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
    finally:
        seconds = time.process_time() - started
        victim.write_bytes(sound)
    if answer == "altered" and not target.may_alter:
        answer = "wrong: altered in spite of a checksum"
    if seconds > MOST_SECONDS:
        answer = f"slow: {seconds:.1f} s"
    return f"{victim.name}: {answer}" if not answer.startswith(FINE) else answer


def child(kind, seed, start, stop, pipe):
    """Run cases and write the number and the answer of each."""
    from fuzz_targets import KINDS as MAKERS

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, os.fdopen(pipe, "w") as answers:
        targets = MAKERS[kind](Path(folder))
        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (held + MOST_BYTES, held + MOST_BYTES))
        for number in range(start, stop):
            answer = run_case(targets, kind, seed, number)
            answers.write(json.dumps([number, answer]) + "\n")
            answers.flush()


# The parent: starts children, and a new one after each that died


def run_kind(kind, seed, n_cases, deadline):
    """Answers of one kind, counted, and the findings by number."""
    counts, findings, number = Counter(), {}, 0
    while number < n_cases and time.monotonic() < deadline:
        number, ended = _run_child(kind, seed, number, n_cases, deadline, counts, findings)
        if ended:
            counts["crash"] += 1
            findings[number] = ended
            number += 1
    return counts, findings


def _run_child(kind, seed, start, stop, deadline, counts, findings):
    import fuzz_targets  # noqa: F401 - so that every child has it

    receiver, sender = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(receiver)
            child(kind, seed, start, stop, sender)
            os._exit(0)
        finally:
            os._exit(70)
    os.close(sender)
    number, ended = start, None
    with os.fdopen(receiver) as answers:
        while number < stop and time.monotonic() < deadline and ended is None:
            if not select.select([answers], [], [], PATIENCE)[0]:
                ended = f"crash: no answer in {PATIENCE:.0f} s"
            elif line := answers.readline():
                number = _count(*json.loads(line), counts, findings) + 1
            else:
                ended = "crash"
    os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return number, f"crash: exit code {code}" if ended == "crash" else ended


def _count(number, answer, counts, findings):
    counts[answer if answer in FINE else answer.split(": ")[1]] += 1
    if answer not in FINE:
        findings[number] = answer
    return number


def replay(kind, seed, number):
    """Run one case here, with its traceback."""
    from fuzz_targets import KINDS as MAKERS

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        return run_case(MAKERS[kind](Path(folder)), kind, seed, number)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these kinds of file")
    parser.add_argument("--cases", type=int, default=60, help="cases of each kind")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="most seconds for all kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", type=int, metavar="NUMBER")
    options = parser.parse_args()
    kinds = options.kind or list(KINDS)
    if options.replay is not None:
        sys.stdout.write(replay(kinds[0], options.seed, options.replay) + "\n")
        return 0
    n_findings, share = 0, options.seconds / len(kinds)
    for kind in kinds:
        counts, findings = run_kind(kind, options.seed, options.cases, time.monotonic() + share)
        n_findings += len(findings)
        line = {"kind": kind, "seed": options.seed, "cases": counts.total(), **counts, "findings": findings}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    return 1 if n_findings else 0


if __name__ == "__main__":
    sys.exit(main())
