"""
Search for hyper-parameters with whole sites
============================================

Choose hyper-parameters by ``GridSearchCV`` without letting a hospital appear in training and validation at
once.

The estimator is a scikit-learn estimator and the splitter a scikit-learn splitter, so nothing special is
needed.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV

from sksurv_tta import SitePreservedKFold, TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort

cohort = make_cohort(130, random_state=1, n_instances=(30, 60), histology_signal=1.4, gene_signal=1.4)
X, y, site = cohort.X, cohort.y, cohort.site

# %%
# The search
# ----------
#
# ``groups`` reaches the splitter. With ``n_jobs`` the fits run side by side; what is sent to a worker are
# handles to the bags, not the bags.

model = TTASurvivalEstimator(
    recipe="paper",
    pathways=cohort.pathways,
    token_dim=32,
    prototype_dim=32,
    max_epochs=15,
    mass_ramp_epochs=5,
    batch_size=16,
    n_heads=1,
    random_state=0,
)
grid = {"lr": [3e-4, 2e-3], "n_prototypes": [4, 16]}
folds = SitePreservedKFold(3, on_imbalance="ignore")
search = GridSearchCV(model, grid, cv=folds, refit=False).fit(X, y, groups=site)
print("best:", search.best_params_)

# %%
# All candidates
# --------------
#
# The best mean of several candidates is too good to be true: it was chosen because it is the largest. Report
# the result of an outer loop (``sksurv_tta.evaluation.nested_cross_validate``) or of patients who took no
# part in the search.

table = pd.DataFrame(search.cv_results_)
names = [f"lr {row.param_lr:g}, {row.param_n_prototypes} prototypes" for row in table.itertuples()]
values = table[[f"split{fold}_test_score" for fold in range(3)]].to_numpy()

figure, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
places = np.arange(len(names))
for fold, marker in zip(range(3), "os^", strict=True):
    ax.plot(values[:, fold], places, marker, markersize=5, alpha=0.8, label=f"fold {fold}")
ax.vlines(values.mean(axis=1), places - 0.3, places + 0.3, color="black", label="mean")
ax.axvline(0.5, color="grey", linestyle=":", linewidth=1)
ax.set_yticks(places, names)
ax.invert_yaxis()
ax.set_xlabel("Harrell's concordance index on validation sites")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)

# %%
# **What it shows:** the folds of one candidate spread as far as the candidates' means, so one split would
# have chosen by luck.
