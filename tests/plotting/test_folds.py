import pandas as pd

from sksurv_tta.plotting import plot_folds


def heights(container):
    return [bar.get_height() for bar in container]


def test_bars_are_patients_and_events(folds):
    ax = plot_folds(folds)
    assert [heights(container) for container in ax.containers] == [[40, 30], [20, 1]]
    assert {text.get_text() for text in ax.texts} == {"40", "30", "20", "1"}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Fold 0\n1 site", "Fold 1\n3 sites"]


def test_unknown_sites_are_not_named(folds):
    for table in (folds.assign(n_sites=0), folds.drop(columns="n_sites")):
        assert [label.get_text() for label in plot_folds(table).get_xticklabels()] == ["Fold 0", "Fold 1"]


def test_many_folds_have_short_names_and_no_numbers(folds):
    many = pd.concat([folds] * 10).assign(fold=range(20))
    ax = plot_folds(many)
    assert [label.get_text() for label in ax.get_xticklabels()] == [str(fold) for fold in range(20)]
    assert not ax.texts


def test_patients_are_counted_in_whole_numbers(folds):
    ax = plot_folds(folds)
    assert all(float(tick).is_integer() for tick in ax.get_yticks())
