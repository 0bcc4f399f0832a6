"""The command line: ``sksurv-tta COMMAND``, or ``python -m sksurv_tta COMMAND``."""

from sksurv_tta.cli.entry import main

__all__ = ["main"]
