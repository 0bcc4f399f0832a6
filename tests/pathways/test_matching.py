import numpy as np
import pandas as pd
import pytest

from sksurv_tta.exceptions import PathwayError, PathwayWarning
from sksurv_tta.pathways import align_pathways

SETS = {"HYPOXIA": ["VEGFA", "CA9", "LDHA"], "REPAIR": ["RAD51", "BRCA1"]}
GENES = ["BRCA1", "LDHA", "ACTB", "VEGFA", "RAD51", "CA9"]


def test_pathways_hold_the_genes_at_hand_sorted_by_name():
    sets = align_pathways(SETS, GENES)
    assert sets.names == ("HYPOXIA", "REPAIR")
    assert sets.genes == (("CA9", "LDHA", "VEGFA"), ("BRCA1", "RAD51"))
    assert sets.genes_used == ("BRCA1", "CA9", "LDHA", "RAD51", "VEGFA")
    assert sets.n_ignored == 1
    assert len(sets) == 2


def test_nothing_depends_on_the_order_of_columns():
    shuffled = sorted(GENES, reverse=True)
    first, second = align_pathways(SETS, GENES), align_pathways(SETS, shuffled)
    assert first.genes == second.genes
    pd.testing.assert_frame_equal(first.coverage, second.coverage)


def test_positions_point_at_the_genes_in_any_table():
    sets = align_pathways(SETS, GENES)
    for columns in (GENES, ["age", *reversed(GENES)]):
        found = [[columns[i] for i in places] for places in sets.positions(columns)]
        assert found == [list(genes) for genes in sets.genes]


def test_positions_refuse_a_table_without_a_trained_gene():
    sets = align_pathways(SETS, GENES)
    with pytest.raises(PathwayError, match=r"2 of 5 genes .* no column: LDHA, RAD51"):
        sets.positions(["BRCA1", "CA9", "VEGFA"])


def test_coverage_counts_what_is_listed_and_found():
    sets = align_pathways(SETS, ["VEGFA", "LDHA", "BRCA1"])
    assert sets.coverage[["n_listed", "n_found"]].to_numpy().tolist() == [[3, 2], [2, 1]]
    np.testing.assert_allclose(sets.coverage["coverage"], [2 / 3, 1 / 2])
    assert sets.coverage["used"].all()


def test_pathways_without_genes_are_left_out_by_name():
    with pytest.warns(PathwayWarning, match=r"1 of 2 pathways are left out.* REPAIR \(0 of 2\)"):
        sets = align_pathways(SETS, ["VEGFA", "LDHA"])
    assert sets.names == ("HYPOXIA",)
    assert sets.coverage["used"].tolist() == [True, False]


def test_pathways_below_the_asked_size_are_left_out():
    with pytest.warns(PathwayWarning, match="REPAIR"):
        assert align_pathways(SETS, GENES, min_genes=3).names == ("HYPOXIA",)


def test_pathways_below_the_asked_coverage_are_left_out():
    with pytest.warns(PathwayWarning, match="HYPOXIA"):
        assert align_pathways(SETS, ["VEGFA", "BRCA1", "RAD51"], min_coverage=0.5).names == ("REPAIR",)


def test_thin_pathways_are_kept_but_reported():
    with pytest.warns(PathwayWarning, match=r"less than half .* HYPOXIA \(1 of 3\)"):
        assert len(align_pathways(SETS, ["VEGFA", "BRCA1", "RAD51"])) == 2


def test_nothing_left_is_an_error():
    with pytest.raises(PathwayError, match="None of 2 pathways has 9 or more genes"):
        align_pathways(SETS, GENES, min_genes=9)


def test_without_pathways_all_genes_are_one_group():
    sets = align_pathways(None, GENES)
    assert sets.names == ("all",)
    assert sets.genes == (tuple(sorted(GENES)),)
    assert sets.n_ignored == 0


def test_a_file_is_read(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("REPAIR\tna\tRAD51\tBRCA1\n")
    assert (
        align_pathways(path, GENES).genes == align_pathways(str(path), GENES).genes == (("BRCA1", "RAD51"),)
    )


@pytest.mark.parametrize(
    ("genes", "hint"),
    [
        (
            ["ENSG00000112715", "ENSG00000107159"],
            r"VEGFA, CA9, LDHA.*symbols.*ENSG00000112715.*Ensembl ids.*Translate",
        ),
        (["7422", "768"], r"7422, 768 \(Entrez ids\)"),
        (["Vegfa", "Car9"], "when case is ignored"),
        ([], "the table names nothing"),
    ],
)
def test_foreign_names_are_shown_side_by_side(genes, hint):
    with pytest.raises(PathwayError, match=hint):
        align_pathways(SETS, genes)


def test_versions_of_ensembl_ids_are_recognised():
    with pytest.raises(PathwayError, match="without the version"):
        align_pathways({"A": ["ENSG00000112715"]}, ["ENSG00000112715.14"])


def test_a_gene_with_two_columns_is_refused():
    with pytest.raises(PathwayError, match="1 genes have several columns: CA9"):
        align_pathways(SETS, [*GENES, "CA9"])


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"A": "TP53"}, "list of names; they are not for A"),
        ({"A": [1, 2]}, "list of names; they are not for A"),
        ({"A": []}, "Pathways without genes: A"),
        ({}, "There is no pathway"),
        (["TP53"], "a file, a dict name -> genes or None, got list"),
    ],
)
def test_malformed_sets_are_refused(sets, message):
    with pytest.raises(PathwayError, match=message):
        align_pathways(sets, GENES)


def test_no_genes_at_all_is_an_error():
    with pytest.raises(PathwayError, match="no numeric column"):
        align_pathways(None, [])


@pytest.mark.parametrize("wrong", [{"min_genes": 0}, {"min_coverage": 1.5}])
def test_limits_out_of_range_are_refused(wrong):
    with pytest.raises(PathwayError, match="min_genes must be at least 1"):
        align_pathways(SETS, GENES, **wrong)
