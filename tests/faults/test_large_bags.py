"""Bags of one patch and of 200,000: both are predicted, the large one without a second copy of it.

``SKSURV_TTA_LARGE`` sets the width of the features (default 64, 51 MB; 1024 are 0.82 GB).
"""

import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

N_PATCHES = 200_000
WIDTH = int(os.environ.get("SKSURV_TTA_LARGE", "64"))

PREDICT = """
import json, resource, sys, time
import torch
from sksurv_tta.datasets import make_cohort
from sksurv_tta.bags import BagArray
from sksurv_tta.estimators import TTASurvivalEstimator

torch.set_num_threads(1)
width, path = int(sys.argv[1]), sys.argv[2]
cohort = make_cohort(12, random_state=0, n_instances=(1, 6), n_features=width)
model = TTASurvivalEstimator(pathways=cohort.pathways, max_epochs=1, random_state=0, device="cpu")
model.fit(cohort.X, cohort.y)
X = cohort.X.iloc[:1].assign(wsi=BagArray.from_files([path], ids=["P1"]))
model.predict(cohort.X)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
started = time.perf_counter()
risk = float(model.predict(X)[0])
seconds = time.perf_counter() - started
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"risk": risk, "bytes": after - before, "seconds": seconds}))
"""


STORAGES = {"plain": {}, "gzip": {"compression": "gzip", "compression_opts": 1}}


@pytest.mark.slow
@pytest.mark.parametrize("storage", STORAGES if WIDTH > 64 else ["plain"])
def test_a_bag_of_200000_patches_is_predicted_within_its_memory(tmp_path, storage):
    rng, path = np.random.default_rng(0), tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        chunks = (2048, WIDTH) if storage == "gzip" else None
        features = file.create_dataset(
            "features", (N_PATCHES, WIDTH), "f4", chunks=chunks, **STORAGES[storage]
        )
        for start in range(0, N_PATCHES, 20_480):
            stop = min(start + 20_480, N_PATCHES)
            features[start:stop] = np.round(rng.standard_normal((stop - start, WIDTH)), 1)
    command = [sys.executable, "-c", PREDICT, str(WIDTH), str(path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    answer = json.loads(found.stdout.splitlines()[-1])
    assert np.isfinite(answer["risk"])
    # The logits and plans of 200,000 tokens take 0.3 GB whatever the width: at 1,024 features this is less
    # than 1.3 times the bag and 0.3 GB.
    assert answer["bytes"] < N_PATCHES * WIDTH * 4 + 0.4e9, answer
