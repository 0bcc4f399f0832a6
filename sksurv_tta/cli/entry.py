"""Run a command and turn whatever happens into an exit code and a message that helps.

Exit codes: 0 done; 1 the data or the model cannot be used, or a file cannot be written (the message says
why); 2 wrong usage; 130 interrupted. What nobody foresaw is not hidden: it ends with a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

from sksurv_tta.cli.messages import as_options, complain, readable_warnings
from sksurv_tta.cli.parser import build_parser
from sksurv_tta.cli.values import UsageError
from sksurv_tta.exceptions import SksurvTTAError

__all__ = ["main"]

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        What stands behind ``sksurv-tta``. Default: the arguments of the process.

    Returns
    -------
    exit_code : int
        0 done, 1 data, model or files cannot be used, 2 wrong usage, 130 interrupted.
    """
    typed = list(sys.argv[1:] if arguments is None else arguments)
    try:
        options = build_parser().parse_args(typed)
    except SystemExit as end:  # argparse has said what was wrong, or has shown the help
        return end.code if isinstance(end.code, int) else 0
    options.typed = typed
    with readable_warnings():
        try:
            options.run(options)
        except UsageError as error:
            complain(f"{error} ('sksurv-tta {typed[0]} --help' explains the options.)")
            return WRONG_USAGE
        except (SksurvTTAError, OSError, BrokenProcessPool, MemoryError) as error:
            complain(_explain(error))
            return FAILED
        except KeyboardInterrupt:
            complain(options.interrupted.format(**vars(options)))
            return INTERRUPTED
    return 0


def _explain(error: BaseException) -> str:
    """What happened, where, and what to do, in one or a few lines."""
    where = "".join(f"\n  ({note})" for note in getattr(error, "__notes__", ()))
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}.{where}"
    if isinstance(error, BrokenProcessPool):
        reason = str(error).strip().splitlines()[:1] or ["no reason is known"]
        return (
            f"A worker process was lost ({reason[0]}). If memory ran out, use fewer --n-jobs or pack the "
            f"features first ('sksurv-tta pack --help'); with --n-jobs 1 the cause is shown.{where}"
        )
    if isinstance(error, MemoryError):
        return f"Not enough memory{f': {error}' if str(error) else ''}.{where}"
    return f"{as_options(str(error))}{where}"
