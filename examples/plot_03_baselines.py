"""
Comparison with scikit-survival's models
========================================

Compare the network with linear models and a forest on identical rows and folds, and with what luck would
give.

A table of concordance indices says little without intervals, without the differences on the same patients,
and without the spread of random scores on these very folds. ``compare`` gives all of them.
"""

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sksurv.linear_model import CoxnetSurvivalAnalysis

from sksurv_tta import TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import BagPooling, compare
from sksurv_tta.model_selection import SitePreservedKFold
from sksurv_tta.plotting import plot_concordance

cohort = make_cohort(150, random_state=1, n_instances=(30, 80), histology_signal=1.4, gene_signal=1.4)

# %%
# The models
# ----------
#
# Ready-made ones have names. Any model of scikit-survival can stand beside them: a ``ColumnTransformer``
# picks its columns, and ``BagPooling`` turns a bag into the mean of its patches.

network = TTASurvivalEstimator(
    pathways=cohort.pathways,
)
own = make_pipeline(
    make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include="number")),
        (make_pipeline(BagPooling("mean"), StandardScaler()), ["wsi"]),
    ),
    CoxnetSurvivalAnalysis(alphas=[0.1], l1_ratio=0.5, fit_baseline_model=True),
)
models = {
    "tta": network,
    "ridge-genes": "ridge-genes",
    "ridge-bags": "ridge-bags",
    "fusion-ridge": "fusion-ridge",
    "rsf": "rsf",
    "own coxnet": own,
}

# %%
# The comparison
# --------------

result = compare(
    models,
    cohort.X,
    cohort.y,
    groups=cohort.site,
    cv=SitePreservedKFold(3, on_imbalance="ignore"),
    metrics=["c_index", "brier_integrated"],
    pathways=cohort.pathways,
    random_state=0,
)
result.summary[["model", "metric", "mean", "sd", "lower", "upper", "pooled"]].round(3)

# %%
# Differences on the same patients: an interval that contains 0 is no evidence for either model.

result.paired("tta").query("metric == 'c_index'").round(3)

# %%
# The figure
# ----------

ax = plot_concordance(result.summary, noise=result.noise_floor)
ax.figure

# %%
# **What it shows:** models that see both modalities come out ahead of those that see one, and linear models
# do not have to hide behind the network: always run one beside it.
