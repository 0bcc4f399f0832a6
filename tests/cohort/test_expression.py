import gzip

import numpy as np
import pandas as pd
import pytest

from sksurv_tta.cohort import tables
from sksurv_tta.exceptions import CohortError, CohortWarning

BARCODES = [f"TCGA-2F-A9K{i}" for i in range(6)]


def use_barcodes(study):
    study.clinical["case_id"] = BARCODES
    study.expression.index = BARCODES
    return study


def test_sample_barcodes_in_a_column_are_understood(study):
    use_barcodes(study)
    table = study.expression.reset_index(drop=True)
    table.insert(0, "sample", [f"{patient}-01" for patient in BARCODES])
    cohort = study.read(bags=None, expression=table)
    np.testing.assert_array_equal(cohort.X, study.expression)
    path = study.folder / "rna_b.csv"
    table.to_csv(path)  # with the running number in a column without a name
    np.testing.assert_array_equal(study.read(bags=None, expression=path).X, study.expression)


def test_the_primary_tumour_is_preferred_and_normal_tissue_never_used(study):
    use_barcodes(study)
    table = study.expression.set_axis([f"{patient}-01A" for patient in BARCODES], axis=0)
    table = table.rename(
        {f"{BARCODES[0]}-01A": f"{BARCODES[0]}-06A", f"{BARCODES[5]}-01A": f"{BARCODES[5]}-11A"}
    )
    more = pd.DataFrame(7.0, columns=table.columns, index=[f"{BARCODES[0]}-11A", f"{BARCODES[1]}-06A"])
    with pytest.warns(CohortWarning) as caught:
        cohort = study.read(bags=None, expression=pd.concat([more, table]), missing="drop")
    told = "\n".join(str(warning.message) for warning in caught)
    assert "2 rows of the expression table are not used because of their sample type" in told
    assert f"several samples in the expression table; used: {BARCODES[1]}-01A of 2" in told
    assert cohort.ids.tolist() == BARCODES[:5]
    np.testing.assert_array_equal(cohort.X, study.expression.iloc[:5])


def test_normal_tissue_is_used_when_asked_for(study):
    use_barcodes(study)
    study.expression.index = [f"{patient}-11" for patient in BARCODES]
    assert len(study.read(bags=None, sample_types=("11",))) == 6


def test_rows_of_other_patients_are_only_counted(study):
    other = study.expression.iloc[[0]].set_axis(["Z-99"], axis=0)
    cohort = study.read(bags=None, expression=pd.concat([study.expression, other]))
    assert cohort.left_aside == {"rows of the expression table of other patients": 1}


def test_repeated_ids_are_refused(study):
    study.expression.index = ["A-01", "A-01", "B-01", "B-02", "C-01", "C-02"]
    with pytest.raises(CohortError, match="1 ids occur in several rows of the expression table: A-01"):
        study.read(bags=None)


def test_genes_with_several_columns_are_averaged(study):
    study.expression.columns = ["ACTB", "TP53", "TP53", "SEPTIN2"]
    expected = study.expression["TP53"].mean(axis=1)
    for source in (study.expression, study.folder / "rna.csv"):
        with pytest.warns(CohortWarning, match="1 genes have several columns .* mean is used: TP53"):
            cohort = study.read(bags=None, expression=source)
        assert cohort.genes == ["ACTB", "TP53", "SEPTIN2"]
        np.testing.assert_allclose(cohort.X["TP53"], expected)


def test_the_mean_of_repeated_genes_hides_no_missing_value(study):
    study.expression.columns = ["ACTB", "TP53", "TP53", "SEPTIN2"]
    study.expression.iloc[3, 2] = np.nan
    with pytest.raises(CohortError, match=r"B-02 \(genes TP53\)"):
        study.read(bags=None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_single_values_that_are_missing_are_refused_by_patient_and_gene(study, value):
    study.expression.iloc[1, 0] = study.expression.iloc[4, 3] = value
    with pytest.raises(CohortError, match=r"2 of 6 .* A-02, C-01 \(genes ACTB, SEPTIN2\)"):
        study.read(bags=None, missing="allow")


def test_genes_that_are_text_are_refused_with_an_example(study):
    study.expression = study.expression.astype({"TP53": object})
    study.expression.iloc[2, 1] = "n.d."
    with pytest.raises(CohortError, match=r"1 gene columns .* not numeric: TP53 \(such as "):
        study.read(bags=None)


def test_an_empty_gene_column_is_missing_values_not_text(study):
    study.expression["TP53"] = None
    with pytest.raises(CohortError, match=r"6 of 6 .* \(genes TP53\)"):
        study.read(bags=None)


def test_columns_of_the_outcomes_are_not_genes(study):
    study.expression["death"] = [1, 0, 1, 0, 1, 0]
    study.expression["site"] = "A"
    with pytest.warns(CohortWarning, match="1 columns .* not taken as genes: death"):
        cohort = study.read(bags=None)
    assert cohort.genes == ["ACTB", "TP53", "BRCA1", "SEPTIN2"]


def test_raw_counts_are_noticed(study):
    study.expression = (study.expression.abs() * 1000).round()
    with pytest.warns(CohortWarning, match="looks like raw counts"):
        study.read(bags=None)


def test_a_transposed_table_is_read_too(study):
    cohort = study.read(bags=None, expression=study.expression.T)
    pd.testing.assert_frame_equal(cohort.X, study.read(bags=None).X)


def test_ids_without_a_match_are_shown_side_by_side(study):
    study.expression.index = [f"X{i}" for i in range(6)]
    with pytest.raises(
        CohortError, match=r"No row \(X0, X1, X2 and 3 more\) or column .* \(A-01, A-02, B-01 and 3 more\)\.$"
    ):
        study.read(bags=None)


def test_samples_with_a_suffix_are_joined_when_asked_for(study):
    plain = study.read(bags=None).X
    study.expression.index += "_T"
    with pytest.raises(CohortError, match=r"6 of them begin .* \(A-01_T: A-01\).* pass match='prefix'"):
        study.read(bags=None)
    pd.testing.assert_frame_equal(study.read(bags=None, match="prefix").X, plain)
    pd.testing.assert_frame_equal(
        study.read(bags=None, match="prefix", expression=study.expression.T).X, plain
    )


def test_nothing_is_chosen_among_samples_whose_names_do_not_tell_the_tumour(study):
    study.expression.index += "_T"
    study.expression.loc["A-01_N"] = 0.0
    with pytest.raises(CohortError, match=r"1 patients have several samples .* A-01 \(A-01_T, A-01_N\)"):
        study.read(bags=None, match="prefix")


def test_a_table_without_genes_is_refused(study):
    with pytest.raises(CohortError, match="has no gene columns"):
        study.read(bags=None, expression=study.expression[[]])


def test_row_names_without_a_header_are_understood(study):
    path = study.folder / "rna.tsv"
    text = study.expression.to_csv(sep="\t").removeprefix("\t")  # as R writes it
    path.write_text(text)
    pd.testing.assert_frame_equal(study.read(bags=None, expression=path).X, study.read(bags=None).X)


def test_missing_and_damaged_files_are_named(study):
    with pytest.raises(CohortError, match=r"no file .*gone\.csv \(expression\)"):
        study.read(bags=None, expression=study.folder / "gone.csv")
    path = study.folder / "rna.parquet"
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(CohortError, match=r"rna\.parquet \(expression\) cannot be read"):
        study.read(bags=None, expression=path)


def test_ids_with_control_characters_are_refused(study):
    study.expression.index = ["A-01\n", *study.expression.index[1:]]
    assert study.read(bags=None).ids[0] == "A-01"  # at the end they are only blanks
    study.expression.index = ["A\n01", *study.expression.index[1:]]
    with pytest.raises(CohortError, match=r"1 ids of the expression table .* control characters: 'A\\n01'"):
        study.read(bags=None)


def test_genes_that_a_spreadsheet_renamed_are_reported_with_their_column(study):
    study.expression = study.expression.rename(columns={"TP53": "2-Sep", "BRCA1": "1-Mar"})
    with pytest.warns(
        CohortWarning, match=r"2 genes .*spreadsheet may .*2-Sep \(column 3\), 1-Mar \(column 4\)"
    ):
        study.read()


def test_a_small_packed_table_cannot_unpack_into_a_huge_one(study, monkeypatch):
    monkeypatch.setitem(tables.MAX_BYTES, "expression", 300)
    study.write()
    path = study.folder / "rna.csv.gz"
    path.write_bytes(gzip.compress((study.folder / "rna.csv").read_bytes() + b"\n" * 100_000))
    with pytest.raises(
        CohortError, match=r"rna\.csv\.gz \(expression\) cannot be read: it holds more than 300"
    ):
        study.read(expression=path)
    path.write_bytes(gzip.compress(b"," * 10_000_000))
    with pytest.raises(CohortError, match="more than 300 bytes"):
        study.read(expression=path)


def test_parquet_is_read_and_a_damaged_one_is_refused_whatever_its_reader_raises(study, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    study.write()
    path = study.folder / "rna.parquet"
    study.expression.reset_index(names="case_id").to_parquet(path)
    assert study.read(expression=path).X["TP53"].tolist() == study.expression["TP53"].tolist()
    with monkeypatch.context() as patch:
        patch.setattr(pd, "read_parquet", lambda *_, **__: {}["pandas_type"])  # as the fuzzer met it
        with pytest.raises(
            CohortError, match=r"rna\.parquet .* cannot be read: it is damaged .KeyError: 'pan"
        ):
            study.read(expression=path)
    with monkeypatch.context() as patch:
        patch.setattr(pd, "read_parquet", lambda *_, **__: bytearray(2**62))
        with pytest.raises(CohortError, match=r"rna\.parquet .* asks for more memory than there is"):
            study.read(expression=path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CohortError, match=r"rna\.parquet \(expression\) cannot be read"):
        study.read(expression=path)
    study.expression.reset_index(names="case_id").to_parquet(path)
    monkeypatch.setitem(tables.MAX_BYTES, "expression", parquet.read_metadata(path).num_rows * 8)
    with pytest.raises(CohortError, match="it holds 6 rows of 5 columns"):
        study.read(expression=path)
