"""
What the curriculum does
========================

Watch how much of a bag is assigned to prototypes while the transported mass grows.

At the start of training only the tokens that fit a prototype well are used; the others go to a sink and have
no say. The mass then rises until every token counts. This is the solver alone, on points in the plane.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from sksurv_tta.transport import assignment_cost, curriculum_mass, curriculum_transport

rng = np.random.default_rng(0)
prototypes = np.array([[0.0, 1.0], [-0.9, -0.5], [0.9, -0.5]])
near = [centre + 0.18 * rng.standard_normal((40, 2)) for centre in prototypes]
tokens = np.concatenate([*near, rng.uniform(-1.6, 1.6, (60, 2))])

# %%
# Similarity of each token to each prototype, the cost of an assignment (Eq. 4 of the paper), and the plans
# for three masses (Eq. 8).

similarity = -torch.cdist(torch.tensor(tokens), torch.tensor(prototypes)) / 0.25
cost = assignment_cost(similarity)
masses = (0.2, 0.6, 1.0)
plans = [curriculum_transport(cost, mass) for mass in masses]
for mass, plan in zip(masses, plans, strict=True):
    print(f"mass {mass}: sum of the plan {plan.plan.sum():.4f}, {int(plan.n_iter)} iterations")

# %%
# Each point is a token: its size is the share of it that goes to a prototype, its colour the prototype that
# gets most.

figure, axes = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained", width_ratios=[1, 1, 1, 1.2])
colours = np.array(["#0072B2", "#D55E00", "#009E73"])
for ax, mass, plan in zip(axes, masses, plans, strict=False):
    weights = plan.plan.numpy() * len(tokens)
    ax.scatter(*tokens.T, s=2, color="lightgrey")
    ax.scatter(*tokens.T, s=25 * weights.sum(axis=1), color=colours[weights.argmax(axis=1)], alpha=0.7)
    ax.scatter(*prototypes.T, marker="*", s=120, color="black")
    ax.set_title(f"mass {mass}")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_aspect("equal")
steps = np.arange(0, 151)
axes[3].plot(steps, [curriculum_mass(step, 100) for step in steps])
axes[3].set_title("the curriculum (Eq. 9)")
axes[3].set_xlabel("step (ramp of 100)")
axes[3].set_ylabel("mass")
axes[3].set_ylim(0, 1.05)

# %%
# **What it shows:** with little mass only the tokens near a prototype take part; as the mass grows the
# stragglers are drawn in, and at mass 1 every token has full weight.
