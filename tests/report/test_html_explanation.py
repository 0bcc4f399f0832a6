"""The section on what networks look at, of a comparison that holds what one needs."""

from types import SimpleNamespace

import pandas as pd
import pytest

from sksurv_tta.report.html_explanation import explanation, explanation_text

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def comparison():
    """Two folds of a network on two modalities, one of a network on one; a second seed that is not shown."""
    changes = pd.DataFrame(
        [
            (SCRIPT, 0, 0, "P", "wsi", True, 0.2, 0.6),
            (SCRIPT, 0, 0, "P", "genes", True, -0.1, 0.4),
            (SCRIPT, 0, 1, "Q", "wsi", True, 0.4, 0.8),
            (SCRIPT, 0, 1, "Q", "genes", False, None, None),
            (SCRIPT, 1, 0, "P", "wsi", True, 9.0, 1.0),
            ("bags", 0, 0, "P", "wsi", True, None, None),
        ],
        columns=["model", "seed", "fold", "patient", "modality", "present", "change", "share"],
    )
    usage = pd.DataFrame(
        [(m, 0, f, "wsi", k, 1 - k, [0.5, 0.5][k] if f == 0 else k)
         for m in (SCRIPT, "bags") for f in (0, 1) for k in (0, 1)],
        columns=["model", "seed", "fold", "modality", "prototype", "share", "mixed"],
    )  # fmt: skip
    pathways = pd.DataFrame(
        [(SCRIPT, 0, 0, "A & B", k, w) for k, w in enumerate([0.1, 0.5, 0.15, 0.25])],
        columns=["model", "seed", "fold", "pathway", "prototype", "mixed"],
    )
    tables = {"modalities": changes, "usage": usage, "pathway_prototypes": pathways}
    return SimpleNamespace(models=[SCRIPT, "bags", "ridge"], explanations=tables)


def test_numbers_are_of_the_first_seed_and_prototypes_of_the_first_fold(comparison):
    page = str(explanation(comparison))
    assert "2 of 2</td><td>0.300</td><td>100%</td><td>70%" in page
    assert "1 of 2</td><td>0.100</td><td>0%</td><td>40%" in page
    assert "1 of 2</td><td>2.0</td>" in page  # both prototypes to equal parts
    assert "0 (0.50), 1 (0.50)" in page
    assert "1 (0.50), 3 (0.25), 2 (0.15)" in page
    assert "only modality, so it cannot be taken away" in page


def test_names_are_no_markup(comparison):
    page = str(explanation(comparison))
    assert "<script" not in page
    assert "A &amp; B" in page


def test_patients_are_not_named(comparison):
    assert ">P<" not in str(explanation(comparison))


def test_it_is_said_who_explains_whom_and_nothing_without_networks(comparison):
    assert "a model that has not seen the patient" in str(explanation_text(comparison))
    assert not explanation_text(SimpleNamespace(models=["ridge"], explanations=comparison.explanations))
    assert not explanation_text(SimpleNamespace(models=["ridge"], explanations={}))
