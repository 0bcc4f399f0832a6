"""Splitters that keep tissue source sites whole."""

from sksurv_tta.model_selection._report import FoldReport, describe_folds
from sksurv_tta.model_selection.fold_files import align_folds, read_folds, write_folds
from sksurv_tta.model_selection.inner_split import site_preserved_train_test_split
from sksurv_tta.model_selection.predefined import PredefinedFolds, fold_labels, predefined_folds
from sksurv_tta.model_selection.published_folds import (
    read_dispro_folds,
    read_mmp_folds,
    read_survpath_folds,
    write_mmp_folds,
)
from sksurv_tta.model_selection.site_folds import RepeatedSitePreservedKFold, SitePreservedKFold
from sksurv_tta.model_selection.sites import tcga_site
from sksurv_tta.model_selection.slides import split_slides

__all__ = [
    "FoldReport",
    "PredefinedFolds",
    "RepeatedSitePreservedKFold",
    "SitePreservedKFold",
    "align_folds",
    "describe_folds",
    "fold_labels",
    "predefined_folds",
    "read_dispro_folds",
    "read_folds",
    "read_mmp_folds",
    "read_survpath_folds",
    "site_preserved_train_test_split",
    "split_slides",
    "tcga_site",
    "write_folds",
    "write_mmp_folds",
]
