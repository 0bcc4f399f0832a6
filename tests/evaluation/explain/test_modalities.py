import numpy as np

from sksurv_tta.bags import BagArray
from sksurv_tta.evaluation.explain.modalities import modality_table
from sksurv_tta.evaluation.explain.opened import open_model


def test_the_risk_without_a_modality_is_that_of_a_patient_who_lacks_it(fitted, discrete, patients, rows):
    place = rows["both"]
    own = patients.X.iloc[[place]]
    no_genes = own.copy()
    no_genes[patients.genes] = np.nan
    no_slide = own.assign(wsi=BagArray([None]))
    for estimator in (fitted, discrete):
        table = modality_table(open_model(estimator, patients.X), place).set_index("modality")
        assert table.loc["wsi", "risk"] == estimator.predict(own)[0]
        assert table.loc["wsi", "risk_without"] == estimator.predict(no_slide)[0]
        assert table.loc["genes", "risk_without"] == estimator.predict(no_genes)[0]
        np.testing.assert_array_equal(table["change"], table["risk"] - table["risk_without"])
        np.testing.assert_allclose(table["share"], table["change"].abs() / table["change"].abs().sum())


def test_the_only_modality_cannot_be_taken_away(fitted, patients, rows):
    model = open_model(fitted, patients.X)
    for who in ("no_slide", "no_genes"):
        table = modality_table(model, rows[who])
        assert table["present"].sum() == 1
        assert table[["risk_without", "change", "share"]].isna().all(axis=None)
        assert table["risk"].notna().all()
