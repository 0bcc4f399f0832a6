"""Where a training runs: what its bits depend on besides data, parameters and seed."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from sksurv_tta._version import __version__

__all__ = ["describe_environment", "is_here", "resolve_device"]


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Versions, device and number of threads of a training that runs now.

    Parameters
    ----------
    device : torch.device
        Where the network is.
    """
    return {
        "sksurv_tta": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scikit-survival": version("scikit-survival"),
        "device": device.type,
        "threads": torch.get_num_threads(),
    }


def is_here(device: str) -> bool:
    """Whether a network can be put on a device of this name, on this machine.

    Parameters
    ----------
    device : str
        "auto", or as ``torch.device`` takes it.
    """
    if device == "auto":
        return True
    try:
        wanted = torch.device(device)
    except RuntimeError:  # no device has such a name
        return False
    if wanted.type == "cuda":
        return (wanted.index or 0) < torch.cuda.device_count()
    if wanted.type == "mps":
        return torch.backends.mps.is_available()
    others = getattr(torch, wanted.type, None)  # such as torch.xpu
    return wanted.type == "cpu" or (others is not None and bool(others.is_available()))


def resolve_device(device: str) -> str:
    """Name of the device to train on.

    Parameters
    ----------
    device : str
        "auto" takes CUDA where there is one.

    Raises
    ------
    ValueError
        If there is no such device on this machine.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not is_here(device):
        raise ValueError(f"There is no device {device!r} here: give device='cpu' or 'auto'.")
    return device
