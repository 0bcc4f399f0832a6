import numpy as np
import pandas as pd

from sksurv_tta.bags import BagArray
from sksurv_tta.evaluation.explain.modalities import modality_tables
from sksurv_tta.evaluation.explain.opened import open_model


def test_the_risk_without_a_modality_is_that_of_a_patient_who_lacks_it(fitted, discrete, patients, rows):
    place = rows["both"]
    own = patients.X.iloc[[place]]
    no_genes = own.copy()
    no_genes[patients.genes] = np.nan
    no_slide = own.assign(wsi=BagArray([None]))
    for estimator in (fitted, discrete):
        (table,) = modality_tables(open_model(estimator, patients.X), np.array([place]))
        table = table.set_index("modality")
        assert table.loc["wsi", "risk"] == estimator.predict(own)[0]
        assert table.loc["wsi", "risk_without"] == estimator.predict(no_slide)[0]
        assert table.loc["genes", "risk_without"] == estimator.predict(no_genes)[0]
        np.testing.assert_array_equal(table["change"], table["risk"] - table["risk_without"])
        np.testing.assert_allclose(table["share"], table["change"].abs() / table["change"].abs().sum())


def test_the_only_modality_cannot_be_taken_away(fitted, patients, rows):
    model = open_model(fitted, patients.X)
    alone = np.array([rows["no_slide"], rows["no_genes"]])
    for table in modality_tables(model, alone):
        assert table["present"].sum() == 1
        assert table[["risk_without", "change", "share"]].isna().all(axis=None)
        assert table["risk"].notna().all()


def test_a_table_is_the_same_whoever_else_is_asked_for(fitted, patients):
    model = open_model(fitted, patients.X)
    together = modality_tables(model, np.arange(len(patients.X)))
    for row, table in enumerate(together):
        (alone,) = modality_tables(model, np.array([row]))
        pd.testing.assert_frame_equal(table, alone)
        assert set(table["patient"]) == {patients.X.index[row]}
