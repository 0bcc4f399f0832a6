"""A small study in real files, and the command line run in this process."""

from types import SimpleNamespace

import pandas as pd
import pytest

from sksurv_tta.cli import main
from sksurv_tta.datasets import make_cohort, write_cohort

SMALL = {"token_dim": 8, "prototype_dim": 8, "n_prototypes": 2, "n_heads": 1, "max_epochs": 1, "n_members": 2}


SETTINGS = [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]


class Study(SimpleNamespace):
    """Where the files of a study are, and the options that name them."""

    def options(self, *left_out, **changes):
        given = {
            "bags": self.bags,
            "expression": self.expression,
            "outcomes": self.outcomes,
            "pathways": self.pathways,
            "time": "time",
            "event": "event",
            "site": "site",
        } | changes
        return [
            part
            for name, value in given.items()
            if name not in left_out
            for part in (f"--{name}", str(value))
        ]


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """48 patients of 6 hospitals; everybody has slides and expression."""
    cohort = make_cohort(
        48, random_state=0, n_pathways=3, genes_per_pathway=4, n_instances=(3, 6), n_features=5, n_sites=6
    )
    written = write_cohort(cohort, tmp_path_factory.mktemp("study"))
    return Study(cohort=cohort, **vars(written))


@pytest.fixture(scope="session")
def gappy_study(tmp_path_factory):
    """The same with three patients without slides and three without expression."""
    cohort = make_cohort(
        48,
        random_state=0,
        n_pathways=3,
        genes_per_pathway=4,
        n_instances=(3, 6),
        n_features=5,
        n_sites=6,
        missing_slides=0.0625,
        missing_expression=0.0625,
    )
    written = write_cohort(cohort, tmp_path_factory.mktemp("gappy"))
    return Study(cohort=cohort, **vars(written))


@pytest.fixture(scope="session")
def network():
    """Settings of a network that is fitted in a moment."""
    return SETTINGS


@pytest.fixture
def run(capsys):
    """Run a command; its exit code and what it said."""

    def command(*arguments):
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return command


@pytest.fixture(scope="session")
def evaluated(study, tmp_path_factory):
    """Results of an evaluation of the network and of a Cox model, with two seeds."""
    folder = tmp_path_factory.mktemp("evaluated") / "new" / "results"
    arguments = [
        "evaluate",
        *study.options(),
        *("--models", "tta,ridge-genes", "--n-folds", "2", "--seeds", "2", "--times", "700"),
        *("--out", str(folder), "--quiet"),
        *SETTINGS,
    ]
    assert main(arguments) == 0
    tables = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
    return SimpleNamespace(folder=folder, arguments=arguments, **tables)


@pytest.fixture(scope="session")
def model(study, tmp_path_factory):
    """A network fitted on the study, in a file."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    assert main(["fit", *study.options(), *SETTINGS, "--out", str(path)]) == 0
    return path
