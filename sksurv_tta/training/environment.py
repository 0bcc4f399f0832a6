"""What the bits of a training depend on besides data, parameters and seed."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from sksurv_tta._version import __version__

__all__ = ["describe_environment"]


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
