"""
Patients who lack a modality
============================

Train and predict with patients of whom some have no slide and some no expression.

Nobody is left out and nothing is imputed: such a patient has no tokens of that modality, and every sum in
the model runs over the tokens that are there.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksurv_tta import SitePreservedKFold, TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import concordance_index

cohort = make_cohort(
    180,
    random_state=1,
    n_instances=(30, 80),
    histology_signal=1.4,
    gene_signal=1.4,
    missing_slides=0.2,
    missing_expression=0.2,
)
X, y, site, genes = cohort.X, cohort.y, cohort.site, cohort.genes
no_slide, no_genes = X["wsi"].isna(), X[genes].isna().all(axis=1)
print(f"{no_slide.sum()} patients without slides, {no_genes.sum()} without expression, {len(X)} in all")

# %%
# Fit on everybody in the training part
# -------------------------------------

train, test = next(SitePreservedKFold(3, on_imbalance="ignore").split(X, y, groups=site))
model = TTASurvivalEstimator(
    pathways=cohort.pathways,
    random_state=0,
).fit(X.iloc[train], y[train])

# %%
# Predict the same patients with less and less
# --------------------------------------------
#
# The test patients who have both, then with their slides taken away, then with their expression taken away.
# A missing slide is a missing cell, missing expression a row of missing genes.

complete = test[(~no_slide & ~no_genes).to_numpy()[test]]
both = X.iloc[complete]
without_slides = both.assign(wsi=both["wsi"].array.take([-1] * len(both), allow_fill=True))
without_genes = both.copy()
without_genes[genes] = np.nan

risks = {
    "histology and genes": model.predict(both),
    "genes only": model.predict(without_slides),
    "histology only": model.predict(without_genes),
}
found = {name: concordance_index(y[complete], risk).value for name, risk in risks.items()}

figure, ax = plt.subplots(figsize=(4.6, 2.2), layout="constrained")
bars = ax.barh(list(found), list(found.values()), color=["#0072B2", "#56B4E9", "#56B4E9"])
ax.bar_label(bars, fmt="{:.2f}", padding=3)
ax.axvline(0.5, color="grey", linestyle=":")
ax.invert_yaxis()
ax.set_xlim(0.4, 1)
ax.set_xlabel(f"concordance index, the same {len(complete)} patients")

# %%
# **What it shows:** one model serves all patients, and with a modality taken away it still ranks them better
# than chance. The patients are too few to say more than that: the order of the three bars changes with the
# seed.
