"""Expression tables with genes in their rows."""

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.exceptions import CohortError, CohortWarning


@pytest.fixture
def turned_study(study):
    """The table as portals offer it: a row for each gene, and a further name of it in the second column."""
    table = study.expression.T.rename_axis("Hugo_Symbol")
    table.insert(0, "Entrez_Gene_Id", [60, 7157, 672, 4735])
    table.insert(3, "Z-99", 0.5)  # a patient who is not in the study
    return study, table


def read(study, table):
    path = study.folder / "genes_in_rows.txt"
    table.to_csv(path, sep="\t")
    return study.read(bags=None, expression=path)


def test_both_layouts_give_the_same_cohort(turned_study):
    study, table = turned_study
    cohort = read(study, table)
    expected = study.read(bags=None)
    pd.testing.assert_frame_equal(cohort.X, expected.X)
    assert cohort.left_aside["columns of the expression table of other patients"] == 2
    pd.testing.assert_frame_equal(study.read(bags=None, expression=table).X, expected.X)


def test_patients_may_lack_a_column_and_samples_are_chosen_as_in_the_other_layout(turned_study):
    study, table = turned_study
    study.clinical["case_id"] = [f"TCGA-2F-A9K{i}" for i in range(6)]
    barcodes = [f"{patient}-01A-11R-A034-07" for patient in study.clinical["case_id"]]
    table = table.rename(columns=dict(zip(["A-01", "A-02", "B-01", "B-02", "C-01"], barcodes, strict=False)))
    table["TCGA-2F-A9K0-11A-11R-A034-07"] = 9.0
    path = study.folder / "genes_in_rows.csv"
    table.to_csv(path)
    with (
        pytest.warns(CohortWarning, match="1 rows .* sample type .*A9K0-11A"),
        pytest.warns(CohortWarning, match="without expression.: TCGA-2F-A9K5"),
    ):
        cohort = study.read(bags=None, expression=path, missing="allow")
    np.testing.assert_allclose(cohort.X.iloc[:5], study.expression.iloc[:5])
    assert len(cohort) == 5  # the sixth has no expression and nothing else


def test_genes_without_a_name_are_left_aside_and_repeated_ones_averaged(turned_study):
    study, table = turned_study
    table.index = ["ACTB", "ACTB", np.nan, "SEPTIN2"]
    table.index.name = "Hugo_Symbol"
    with pytest.warns(CohortWarning, match="1 genes have several columns .* mean is used: ACTB"):
        cohort = read(study, table)
    assert cohort.genes == ["ACTB", "SEPTIN2"]
    assert cohort.left_aside["rows of the expression table without a gene"] == 1
    np.testing.assert_allclose(cohort.X["ACTB"], study.expression[["ACTB", "TP53"]].mean(axis=1))


def test_text_among_the_values_is_named(turned_study):
    study, table = turned_study
    table = table.astype(object)
    table.loc["TP53", "B-01"] = "high"
    with pytest.raises(CohortError, match=r"1 columns .* are not numeric: B-01 \(such as '"):
        read(study, table)
