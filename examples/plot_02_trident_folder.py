"""
Your own TRIDENT folder
=======================

Read a folder of TRIDENT feature files, an expression table and a clinical table, and find out what is in
them.

Here the files are written first, so that the example runs anywhere; with your own files start at the second
step.
"""

# %%
# Files as TRIDENT writes them
# ----------------------------

import tempfile
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sksurv_tta import SitePreservedKFold, read_cohort, read_gmt
from sksurv_tta.bags import open_store, write_store
from sksurv_tta.datasets import make_cohort, write_cohort
from sksurv_tta.exceptions import CohortError

folder = Path(tempfile.mkdtemp()) / "mine"
simulated = make_cohort(120, random_state=3, n_instances=(60, 150), missing_slides=0.05)
_ = write_cohort(simulated, folder)
for path in sorted(folder.iterdir()):
    print(path.name, f"({len(list(path.iterdir()))} files)" if path.is_dir() else "")

# %%
# One file for each slide, with one row for each patch in ``features`` and its corner in ``coords``:

slide = sorted((folder / "features").iterdir())[0]
with h5py.File(slide) as file:
    for name, data in file.items():
        print(slide.name, name, data.shape, data.dtype)

# %%
# The clinical table says who the patients are, and ``slide_ids`` which files belong to whom. Without that
# column a file belongs to the patient whose id is its name; TCGA barcodes are understood.

pd.read_csv(folder / "clinical.csv").head(3)

# %%
# Read
# ----
#
# Everything is looked at before anything is refused, and features stay on disk until they are needed. Six
# patients have no slide, and by default that is an error:

files = {
    "bags": folder / "features",
    "expression": folder / "expression.csv",
    "outcomes": folder / "clinical.csv",
}
columns = {"time": "time", "event": "event", "site": "site"}
try:
    read_cohort(**files, **columns)
except CohortError as error:
    print(error)

# %%
# They can stay: the model works with what a patient has.

cohort = read_cohort(**files, **columns, missing="allow")
cohort.summary()

# %%
# Pathways and folds
# ------------------

pathways = read_gmt(folder / "pathways.gmt")
print(len(pathways), "pathways, the first with", len(next(iter(pathways.values()))), "genes")
folds = SitePreservedKFold(4, on_imbalance="ignore")
for train, test in folds.split(cohort.X, cohort.y, groups=cohort.site):
    print(len(train), "to learn from,", len(test), "to test on")
print(folds.report_)

# %%
# Faster reading
# --------------
#
# One flat file instead of many: worth it for large cohorts. The store is a column of bags like any other.

write_store(folder / "features.store", cohort.ids, cohort.X["wsi"])
ids, bags = open_store(folder / "features.store")
print(len(ids), "patients,", bags.n_instances.sum(), "patches of", bags.n_features, "features")

# %%
# A slide
# -------
#
# A bag knows where its patches lie.

bag = cohort.X["wsi"].dropna().iloc[0]
corners, features = bag.coordinates, bag.features
distance = np.linalg.norm(features - features.mean(axis=0), axis=1)
figure, ax = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
points = ax.scatter(*corners.T, c=distance, cmap="viridis", marker="s", s=45)
ax.invert_yaxis()
ax.set_aspect("equal")
ax.set_xlabel("x in pixels of full resolution")
ax.set_ylabel("y in pixels of full resolution")
figure.colorbar(points, label="distance to the mean patch")

# %%
# **What it shows:** the patches of one slide at their places, coloured by how unusual their features are:
# features and coordinates were read from the same rows.
