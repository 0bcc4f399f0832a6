"""Settings shared by all tests: one thread a process, so that figures do not depend on the machine.

``SKSURV_TTA_TIER=full`` and ``SKSURV_TTA_TIER=nightly`` let the tests that draw at random draw more, and try
larger bags; each figure can also be set alone. All tests, with the whole of the proofs by chance:

    SKSURV_TTA_TIER=nightly python -m pytest
"""

import os

import torch

TIERS = {
    "quick": {},
    "full": {
        "SKSURV_TTA_KILLS": "30",
        "SKSURV_TTA_FLIPS": "1000",
        "SKSURV_TTA_FUZZ": "500",
        "SKSURV_TTA_EXAMPLES": "5",
        "SKSURV_TTA_LARGE": "256",
    },
    "nightly": {
        "SKSURV_TTA_KILLS": "100",
        "SKSURV_TTA_FLIPS": "10000",
        "SKSURV_TTA_FUZZ": "10000",
        "SKSURV_TTA_EXAMPLES": "40",
        "SKSURV_TTA_LARGE": "1024",
    },
}
for name, value in TIERS[os.environ.get("SKSURV_TTA_TIER", "quick")].items():
    os.environ.setdefault(name, value)

torch.set_num_threads(1)
