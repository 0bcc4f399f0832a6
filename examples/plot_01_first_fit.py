"""
First fit
=========

Fit the model on a training set and see whether it separates patients that it has not seen.

The cohort is simulated, so nothing needs to be downloaded. Its histology and its genes each know something
that the other does not.
"""

# %%
# A cohort: one table, one outcome
# --------------------------------
#
# ``X`` has a column ``wsi`` of dtype ``bag`` (one patient's patches in each cell) and one column for each
# gene. ``y`` is a structured array with event and time, as in scikit-survival.

import numpy as np

from sksurv_tta import SitePreservedKFold, TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import concordance_index, hazard_ratio, log_rank, survival_curves
from sksurv_tta.plotting import plot_learning_curves, plot_survival_curves

cohort = make_cohort(160, random_state=1, n_instances=(30, 80), histology_signal=1.4, gene_signal=1.4)
X, y, site = cohort.X, cohort.y, cohort.site
print(cohort)
X.iloc[:3, :4]

# %%
# Training and test part
# ----------------------
#
# The first of three site-preserved folds: no hospital is in both parts.

train, test = next(SitePreservedKFold(3, on_imbalance="ignore").split(X, y, groups=site))
print(len(train), "patients to learn from,", len(test), "to be tested on")

# %%
# Fit
# ---
#
# The default recipe: an ensemble of small networks, each trained without an eighth of the patients, and a
# linear Cox path beside it.

model = TTASurvivalEstimator(
    pathways=cohort.pathways,
    random_state=0,
).fit(X.iloc[train], y[train], sites=np.asarray(site)[train])

# %%
# What the training did: the parts of the loss, and the share of the tokens' mass that is assigned to
# prototypes.

axes = plot_learning_curves(model.history_)
axes[0].figure  # shown by a notebook

# %%
# Predict
# -------
#
# ``predict`` gives risk scores (higher: earlier event), ``predict_survival_function`` step functions.

risk = model.predict(X.iloc[test])
found = concordance_index(y[test], risk)
print(f"concordance on {found.n_patients} test patients: {found.value:.3f}")

survival = model.predict_survival_function(X.iloc[test[:3]])
print([round(float(function(365)), 2) for function in survival])

# %%
# Two groups of test patients
# ---------------------------
#
# The cut is the median of the *training* risks. A cut at the median of the test patients would split them in
# half whatever the model had learned.

group = (risk > np.median(model.predict(X.iloc[train]))).astype(int)
event, time = y[test]["event"], y[test]["time"]
ax = plot_survival_curves(
    survival_curves(event, time, group=group),
    log_rank=log_rank(event, time, group=group),
    hazard_ratio=hazard_ratio(event, time, high=group == 1),
    time_label="Days",
)
ax.figure

# %%
# **What it shows:** patients of hospitals that the model has never seen die earlier in the group that it
# calls high risk.
