"""
Why this risk?
==============

Explain the risk of one patient whom the model has not seen: which modality it comes from, which pathways and
which patches, and where they lie on the slide.
"""

import matplotlib.pyplot as plt

from sksurv_tta import SitePreservedKFold, TTASurvivalEstimator
from sksurv_tta.datasets import make_cohort
from sksurv_tta.evaluation import explain
from sksurv_tta.plotting import plot_modality_changes, plot_pathway_contributions, plot_slide_values

cohort = make_cohort(120, random_state=2, n_instances=(60, 90), histology_signal=1.4, gene_signal=1.4)
X, y, site = cohort.X, cohort.y, cohort.site
train, test = next(SitePreservedKFold(3, on_imbalance="ignore").split(X, y, groups=site))
model = TTASurvivalEstimator(pathways=cohort.pathways, n_members=4, random_state=0)
model.fit(X.iloc[train], y[train], sites=site[train])

# %%
# The parts of the model
# ----------------------
#
# How network and linear path are weighed, learned on patients that neither had seen:

model.output_weights_

# %%
# The patient of highest risk
# ---------------------------
#
# Contributions are in units of the log risk of one member of the ensemble; effects of whole modalities are
# those of the whole model.

X_test = X.iloc[test]
patient = X_test.iloc[[model.predict(X_test).argmax()]]
explanation = explain(model, patient)
explanation.modalities

# %%
# The pathways with the largest contributions:

columns = ["pathway", "prototype", "contribution"]
explanation.pathways.sort_values("contribution", key=abs, ascending=False)[columns].head()

# %%
# Modalities, pathways and the slide
# ----------------------------------

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
plot_modality_changes(explanation.modalities, ax=axes[0])
plot_pathway_contributions(explanation.pathways, ax=axes[1])
plot_slide_values(explanation.instances, "contribution", ax=axes[2])
plt.show()

# %%
# **What it shows:** most of this patient's risk comes from the genes; on the slide, patches in one
# colour raise the risk above that of the average patch and those in the other lower it. It is what the model
# uses, not what causes the outcome.
