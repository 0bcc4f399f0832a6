"""``pack``: feature files to one store."""

from __future__ import annotations

import argparse
from typing import cast

from sksurv_tta.bags import BagArray, write_store
from sksurv_tta.cli.data import read_data
from sksurv_tta.cli.messages import Progress, say
from sksurv_tta.cohort import BAG_COLUMN

__all__ = ["run_pack"]


def run_pack(options: argparse.Namespace) -> None:
    """Write a packed store.

    Parameters
    ----------
    options : Namespace
    """
    cohort = read_data(options)
    column = cast(BagArray, cohort.X[BAG_COLUMN].array)
    progress = Progress("patients", quiet=options.quiet)
    write_store(options.out, cohort.ids.tolist(), column, dtype=options.dtype, progress=progress)
    say(f"Store: {options.out} ({len(cohort)} patients, {int(column.n_instances.sum())} instances)")
