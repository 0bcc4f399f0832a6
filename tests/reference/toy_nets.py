"""Small trainings of the toy patients, and how they are compared."""

import math

import torch
from toy_patients import PATHWAYS, toy_network

from sksurv_tta.training import CoxCriterion, SurvivalNet

QUIET = {"verbose": 0, "warm_start": True}


def make_net(data, *, network=None, dropout=0.3, criterion=CoxCriterion, **options):
    settings = {
        "seed": 0,
        "batch_size": 4,
        "max_epochs": 2,
        "lr": 1e-3,
        "optimizer": torch.optim.AdamW,
        "n_profile_tokens": len(PATHWAYS) if data.profiles is not None else 0,
    }
    return SurvivalNet(
        network or toy_network(data, dropout=dropout), criterion, **QUIET, **settings | options
    )


def weights(net):
    return {name: value.clone() for name, value in net.module_.state_dict().items()}


def assert_same(one, other):
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


class Poison(CoxCriterion):
    """A criterion whose value or gradient is not a number at the third call."""

    calls = 0
    how = "loss"

    def forward(self, prediction, outcome):
        self.calls += 1
        loss = super().forward(prediction, outcome)
        if self.calls != 3:
            return loss
        if self.how == "loss":
            return loss * math.nan
        loss = loss.clone()
        loss.register_hook(lambda gradient: gradient * math.inf)
        return loss


class PoisonGradient(Poison):
    how = "gradient"
