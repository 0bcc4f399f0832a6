import numpy as np
import torch

from sksurv_tta.estimators import PIBDSurvivalEstimator
from sksurv_tta.estimators.auxiliary_outputs import AuxiliaryCriterion
from sksurv_tta.training import CoxCriterion, HazardCriterion, Outcome

OUTCOME = Outcome.of([1.0, 2.0, 9.0], [True, True, False], [0, 1, 1])


def test_every_further_prediction_has_a_weighted_loss_of_its_own():
    outputs = torch.randn(3, 3, 2, generator=torch.Generator().manual_seed(0))
    base = HazardCriterion(0.5)
    criterion = AuxiliaryCriterion(base, 0.25)
    first, second, third = (base(own, OUTCOME) for own in outputs.unbind(1))
    torch.testing.assert_close(criterion(outputs, OUTCOME), first + 0.25 * (second + third))
    torch.testing.assert_close(criterion(outputs[:, 0], OUTCOME), first)
    assert criterion.weight(OUTCOME) == 3
    np.testing.assert_array_equal(criterion.risk(outputs[:, 0].numpy()), base.risk(outputs[:, 0].numpy()))


def test_an_estimator_hands_its_weight_and_recipe_on():
    objective = PIBDSurvivalEstimator(auxiliary_weight=0.7)._objective()
    assert objective["criterion__auxiliary_weight"] == 0.7
    assert isinstance(objective["criterion__survival"], CoxCriterion)
    objective = PIBDSurvivalEstimator(recipe="original")._objective()
    assert objective["criterion__survival"].censored_weight == 0.5
