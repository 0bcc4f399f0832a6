"""
Save, load and resume
=====================

Keep a trained model as one file without code in it, load it elsewhere, and go on after an interruption.
"""

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sksurv_tta import TTASurvivalEstimator, load_model
from sksurv_tta.datasets import make_cohort

folder = Path(tempfile.mkdtemp())
cohort = make_cohort(120, random_state=4, n_instances=(30, 60))
X, y = cohort.X, cohort.y

# %%
# Train with checkpoints
# ----------------------
#
# After every epoch a checkpoint is written. Were this process killed, the same ``fit`` would go on from the
# last one and end with the same weights, bit by bit.

model = TTASurvivalEstimator(
    pathways=cohort.pathways,
    checkpoint_dir=folder / "checkpoints",
    random_state=0,
)
start = time.perf_counter()
model.fit(X[:100], y[:100])
print(f"trained in {time.perf_counter() - start:.1f} s")

# %%
# A second ``fit`` with the same data and parameters finds the finished training and loads it.

start = time.perf_counter()
again = TTASurvivalEstimator(**model.get_params()).fit(X[:100], y[:100])
print(f"found in {time.perf_counter() - start:.1f} s")
print("same predictions:", np.array_equal(model.predict(X[100:]), again.predict(X[100:])))

# %%
# One file
# --------
#
# Numbers and names in the safetensors format: no patient, no path and no code.

path = folder / "model.safetensors"
model.save(path)
print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")

loaded = load_model(path)
print("same predictions:", np.array_equal(model.predict(X[100:]), loaded.predict(X[100:])))
print("trained with:", loaded.trained_with_)

# %%
# The loaded model at work
# ------------------------

functions = loaded.predict_survival_function(X[100:])
order = np.argsort(loaded.predict(X[100:]))
figure, ax = plt.subplots(figsize=(4.6, 3), layout="constrained")
for place, label in [(0, "lowest risk"), (len(order) // 2, "in the middle"), (-1, "highest risk")]:
    function = functions[order[place]]
    ax.step(function.x, function(function.x), where="post", label=label)
ax.set_ylim(0, 1.02)
ax.set_xlabel("Days")
ax.set_ylabel("Predicted survival")
ax.legend(frameon=False)

# %%
# **What it shows:** the survival functions of three new patients, predicted by the model that came from the
# file.
