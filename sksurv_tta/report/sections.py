"""What stands in the report, section by section."""

from __future__ import annotations

from dataclasses import dataclass

from sksurv_tta.cohort import Cohort
from sksurv_tta.evaluation import Comparison
from sksurv_tta.report.html_cohort import cohort_section, fold_report, fold_table
from sksurv_tta.report.html_explanation import explanation, explanation_text
from sksurv_tta.report.html_models import calibration, calibration_text, group_text, groups, learning
from sksurv_tta.report.html_results import by_fold, differences, measures, noise
from sksurv_tta.report.markup import Markup, join
from sksurv_tta.report.provenance import reading_guide, what_was_run
from sksurv_tta.report.run import RunDescription

__all__ = ["Section", "all_sections"]


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    name : str
        Of its place in the page; figures name it too.
    title : str
    before, after : Markup
        What stands before and after its figures.
    """

    name: str
    title: str
    before: Markup
    after: Markup | None = None


def all_sections(comparison: Comparison, cohort: Cohort, description: RunDescription) -> list[Section]:
    """Every section, in the order of the page.

    Parameters
    ----------
    comparison : Comparison
    cohort : Cohort
    description : RunDescription
    """
    sections = [
        Section("cohort", "Patients", cohort_section(cohort, description)),
        Section("folds", "Folds and sites", fold_table(comparison), fold_report(comparison, cohort)),
        Section("measures", "Models and measures", join(*measures(comparison)), by_fold(comparison)),
        Section("differences", "Differences between models", differences(comparison)),
        Section("noise", "What chance would give", noise(comparison)),
        Section("groups", "Risk groups", group_text(), groups(comparison)),
        Section("calibration", "Calibration", calibration_text(comparison), calibration(comparison)),
        Section(
            "explanation",
            "What the networks look at",
            explanation_text(comparison),
            explanation(comparison) if explanation_text(comparison) else None,
        ),
        Section("learning", "Learning curves", learning(comparison)),
        Section("run", "What was run", what_was_run(comparison, description)),
        Section("reading", "How to read this", reading_guide()),
    ]
    return [section for section in sections if section.before]
