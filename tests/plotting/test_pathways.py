import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

from sksurv_tta.evaluation import prototype_colour
from sksurv_tta.plotting import (
    as_svg,
    plot_modality_changes,
    plot_pathway_contributions,
    plot_pathway_counts,
    plot_pathway_prototypes,
)
from sksurv_tta.plotting.style import BLUE, RED


@pytest.fixture
def weights():
    """Of two pathways and four prototypes."""
    mixed = [0.1, 0.4, 0.2, 0.3, 0.25, 0.3, 0.35, 0.1]
    return pd.DataFrame(
        {"patient": "P", "pathway": ["HALLMARK_HYPOXIA"] * 4 + ["b cells"] * 4,
         "prototype": [0, 1, 2, 3] * 2, "mixed": mixed}
    )  # fmt: skip


def test_cells_are_the_first_prototypes_of_each_pathway(weights):
    ax = plot_pathway_prototypes(weights, n_top=3)
    assert [text.get_text() for text in ax.texts] == ["1", "3", "2", "2", "1", "0"]
    assert ax.patches[1].get_facecolor() == to_rgba(prototype_colour(3))
    assert ax.patches[1].get_x() == 1
    assert [label.get_text() for label in ax.get_yticklabels()] == ["Hypoxia", "b cells"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first pathway is on top
    assert min(text.get_fontsize() for text in ax.texts) >= 6


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("HALLMARK_E2F_TARGETS", "E2F targets"),
        ("HALLMARK_TNFA_SIGNALING_VIA_NFKB", "TNFA signaling via NFKB"),
        ("HALLMARK_UV_RESPONSE_DN", "UV response DN"),
        ("HALLMARK_IL6_JAK_STAT3_SIGNALING", "IL6 JAK STAT3 signaling"),
        ("HALLMARK_MITOTIC_SPINDLE", "Mitotic spindle"),
        ("Tumor Suppressor", "Tumor Suppressor"),
    ],
)
def test_names_of_pathways_keep_the_names_of_genes(weights, name, shown):
    ax = plot_pathway_prototypes(weights.assign(pathway=name))
    (label,) = (label.get_text() for label in ax.get_yticklabels())
    assert shown.startswith(label.removesuffix("…"))
    assert len(label) >= min(len(shown), 20)


def test_of_several_patients_the_mean_counts(weights):
    other = weights.assign(patient="Q", mixed=[0.9, 0, 0, 0.1] * 2)
    ax = plot_pathway_prototypes(pd.concat([weights, other]), n_top=1)
    assert [text.get_text() for text in ax.texts] == ["0", "0"]


def test_bars_count_the_pathways_of_a_prototype(weights):
    ax = plot_pathway_counts(weights, n_top=2)
    assert [bar.get_height() for bar in ax.patches] == [0, 2, 1, 1]
    assert ax.get_ylabel() == "Pathways (top 2)"
    assert plot_pathway_counts(weights).get_ylabel() == "Pathways (top 4)"  # there are no more


def test_contributions_of_one_patient_have_a_sign(weights):
    table = pd.DataFrame({"patient": "P", "pathway": ["a", "b", "c"], "contribution": [0.1, -0.5, 0.2]})
    ax = plot_pathway_contributions(table, n_top=2)
    assert [bar.get_width() for bar in ax.patches] == [-0.5, 0.2]
    assert [bar.get_facecolor() for bar in ax.patches] == [to_rgba(BLUE), to_rgba(RED)]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "c"]


def test_contributions_of_several_patients_are_mean_sizes():
    table = pd.DataFrame(
        {"patient": ["P", "P", "Q", "Q"], "pathway": ["a", "b"] * 2, "contribution": [0.1, 0.2, -0.5, 0.2]}
    )
    ax = plot_pathway_contributions(table)
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [0.3, 0.2])
    assert ax.get_xlabel() == "Mean size of the contribution to the risk"


def test_changes_are_points_with_a_line_at_the_median():
    table = pd.DataFrame({"modality": ["wsi", "genes"] * 3, "change": [0.1, -0.2, 0.3, np.nan, 0.2, -0.4]})
    ax = plot_modality_changes(table)
    zero, wsi, genes = ax.lines
    assert zero.get_xdata()[0] == 0
    assert wsi.get_xdata().tolist() == [0.1, 0.3, 0.2]
    assert genes.get_xdata().tolist() == [-0.2, -0.4]
    medians = [lines.get_segments()[0][0, 0] for lines in ax.collections]
    assert medians == pytest.approx([0.2, -0.3])
    assert b"genes" in as_svg(ax.figure)


def test_the_change_of_a_single_patient_is_a_point_with_a_line_to_zero():
    ax = plot_modality_changes(pd.DataFrame({"modality": ["wsi", "genes"], "change": [0.1, -0.2]}))
    assert [line.get_xdata().tolist() for line in ax.lines[1:]] == [[0.1], [-0.2]]
    assert min(line.get_markersize() for line in ax.lines[1:]) >= 4
    stems = [lines.get_segments()[0].tolist() for lines in ax.collections]
    assert stems == [[[0, 0], [0.1, 0]], [[0, 1], [-0.2, 1]]]


def test_what_was_not_computed_is_not_drawn(weights):
    with pytest.raises(ValueError, match="no pathways"):
        plot_pathway_prototypes(weights[:0])
    missing = pd.DataFrame({"patient": ["P"], "pathway": ["a"], "contribution": [np.nan]})
    with pytest.raises(ValueError, match="no contributions"):
        plot_pathway_contributions(missing)
    with pytest.raises(ValueError, match="every patient has only one"):
        plot_modality_changes(pd.DataFrame({"modality": ["wsi"], "change": [np.nan]}))
