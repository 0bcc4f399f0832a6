"""One place for each fact: metadata, versions, defaults, tests, sizes."""

import ast
import configparser
import importlib
import inspect
import io
import re
import subprocess
import tokenize
import tomllib
from pathlib import Path

import pytest

import sksurv_tta
from sksurv_tta.estimators import TTASurvivalEstimator
from sksurv_tta.estimators.presets import PAPER, ROBUST

PACKAGE = Path(sksurv_tta.__file__).parent
ROOT = PACKAGE.parent
TESTS = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def tracked_texts():
    """Yield (path, text) of the files under version control that are text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


# Configuration files


def test_setup_cfg_holds_settings_of_tools_and_no_metadata():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    assert not {name.split(":")[0] for name in parser.sections()} & {"metadata", "options", "tool"}


@pytest.mark.parametrize(
    "name", ["pytest.ini", "tox.ini", "setup.py", ".coveragerc", "mypy.ini", "ruff.toml"]
)
def test_what_belongs_in_pyproject_is_nowhere_else(name):
    assert not (ROOT / name).exists()


@pytest.mark.parametrize("tool", ["ruff", "mypy", "codespell"])
def test_a_tool_has_one_version_everywhere(tool):
    pinned = re.compile(rf"\b{tool}\s*==\s*([\w.]+)")
    lint = [entry for entry in PROJECT["dependency-groups"]["lint"] if entry.startswith(tool)]
    (own,) = pinned.findall(" ".join(lint))
    for name in (".pre-commit-config.yaml", *(path.name for path in ROOT.glob("constraints/*"))):
        path = ROOT / name if (ROOT / name).exists() else ROOT / "constraints" / name
        assert set(pinned.findall(path.read_text())) <= {own}, name
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert pinned.search(text) or "language: system" in text.split(f"id: {tool}")[1].split("- id:")[0]


def test_the_version_is_written_in_one_place():
    version = sksurv_tta.__version__
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?((a|b|rc)\d+|\.dev\d+)?", version)
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "sksurv_tta._version.__version__"
    assigning = [
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if re.search(r"^__version__\s*=", path.read_text(), re.MULTILINE)
    ]
    assert assigning == ["_version.py"]


# Names and defaults


PUBLIC = {
    "sksurv_tta": [
        "TTASurvivalEstimator",
        "BagArray",
        "BagDtype",
        "Bag",
        "read_cohort",
        "read_gmt",
        "load_model",
        "__version__",
    ],
    "sksurv_tta.model_selection": ["SitePreservedKFold"],
    "sksurv_tta.transport": ["curriculum_transport", "curriculum_mass", "TransportPlan"],
    "sksurv_tta.losses": ["cox_loss", "discrete_hazard_loss", "anchor_contrast_loss"],
    "sksurv_tta.datasets": ["make_cohort", "write_cohort"],
    "sksurv_tta.evaluation": ["compare"],
}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in PUBLIC for name in PUBLIC[module]])
def test_a_public_name_is_where_the_documentation_says(module, name):
    found = importlib.import_module(module)
    assert hasattr(found, name)
    assert name in found.__all__


@pytest.mark.parametrize("module", PUBLIC)
def test_every_name_that_a_module_offers_exists(module):
    found = importlib.import_module(module)
    assert len(set(found.__all__)) == len(found.__all__)
    assert all(hasattr(found, name) for name in found.__all__)


def documented_parameters(docstring):
    """Return {name: the line that describes its type} of the section Parameters."""
    section = docstring.split("Parameters\n    ----------\n")[1].split("\n\n    Attributes\n")[0]
    lines = re.findall(r"^    (\w[\w, ]*?) : (.+)$", section, re.MULTILINE)
    return {name: kind for names, kind in lines for name in names.split(", ")}


def test_the_documented_parameters_are_those_of_the_signature():
    documented = documented_parameters(TTASurvivalEstimator.__doc__)
    signature = inspect.signature(TTASurvivalEstimator.__init__).parameters
    assert list(documented) == [name for name in signature if name != "self"]


def test_the_documented_defaults_are_those_of_the_signature():
    documented = documented_parameters(TTASurvivalEstimator.__doc__)
    signature = inspect.signature(TTASurvivalEstimator.__init__).parameters
    together = {}  # names that share a line share "default=a and b"
    for name, kind in documented.items():
        together.setdefault(kind, []).append(name)
    for kind, names in together.items():
        stated = re.search(r"default=(.+)$", kind)
        assert stated is not None, f"{names}: no default in {kind!r}"
        texts = stated[1].split(" and ") if " and " in stated[1] else [stated[1]] * len(names)
        for name, text in zip(names, texts, strict=True):
            value, of_recipes = re.fullmatch(r"([^(]+?)(?: \((.+) / (.+)\))?", text).group(1, 2)
            assert ast.literal_eval(value) == signature[name].default, name
            assert (of_recipes is not None) == (name in PAPER), f"{name}: the recipes' values"


def test_the_documented_values_of_the_recipes_are_theirs():
    documented = documented_parameters(TTASurvivalEstimator.__doc__)
    for name in PAPER:
        stated = re.search(r"\((.+) / (.+)\)$", documented[name]).groups()
        for preset, text in zip((ROBUST, PAPER), stated, strict=True):
            expected = preset[name] if text != "all patients" else 2**20
            assert (expected if text == "all patients" else ast.literal_eval(text)) == preset[name], name


# Tests and sizes


#: Rooms that are tested by what they do for the user, not module by module.
TESTED_AS_A_WHOLE = {
    "cli": "commands are called as a user calls them",
    "report": "the folder and the page that come out are looked at",
    "plotting": "figures are drawn and looked at",
}
#: Modules whose tests are in a test module of another name.
TESTED_IN = {
    "__main__.py": "cli/test_usage.py",
    "bags/hdf5_guards.py": "bags/test_guards.py",
    "bags/opening.py": "bags/test_array.py",
    "bags/usable.py": "cohort/test_bad_bags.py",
    "cohort/barcodes.py": "cohort/test_slides.py",
    "cohort/cohort.py": "cohort/test_read.py",
    "cohort/findings.py": "cohort/test_read.py",
    "cohort/tables.py": "cohort/test_read.py",
    "datasets/draws.py": "datasets/test_simulate.py",
    "estimators/fingerprint.py": "faults/test_checkpoints.py",
    "estimators/model_document.py": "faults/test_damaged_models.py",
    "estimators/parameters.py": "estimators/test_persistence.py",
    "estimators/peer.py": "estimators/test_all_estimators.py",
    "estimators/recipes.py": "estimators/test_all_estimators.py",
    "estimators/registry.py": "estimators/test_persistence.py",
    "estimators/requirements.py": "estimators/test_all_estimators.py",
    "evaluation/baseline_hazard.py": "evaluation/test_penalised.py",
    "evaluation/names.py": "evaluation/test_comparison.py",
    "evaluation/scoring.py": "evaluation/test_compare.py",
    "evaluation/summaries.py": "evaluation/test_comparison.py",
    "evaluation/tasks.py": "evaluation/test_compare.py",
    "networks/apart.py": "networks/test_apart_and_fuse.py",
    "networks/attention.py": "networks/test_apart_and_fuse.py",
    "networks/fuse.py": "networks/test_apart_and_fuse.py",
    "networks/interface.py": "networks/test_invariances.py",
    "networks/tta.py": "networks/test_ablations.py",
    "training/checkpoints.py": "faults/test_checkpoints.py",
    "training/early_stopping.py": "estimators/test_base.py",
    "training/environment.py": "faults/test_checkpoints.py",
    "training/epoch.py": "faults/test_kill_and_resume.py",
    "training/interruption.py": "faults/test_kill_and_resume.py",
    "training/locks.py": "faults/test_checkpoints.py",
    "training/history.py": "estimators/test_persistence.py",
    "training/patients.py": "training/test_batches.py",
    "training/schedules.py": "estimators/test_all_estimators.py",
    "estimators/presets.py": "estimators/test_ensembles.py",
    "estimators/stored_numbers.py": "estimators/test_persistence.py",
    "training/randomness.py": "properties/test_reproducible.py",
    "training/tensor_files.py": "faults/test_damaged_models.py",
    "training/threads.py": "properties/test_reproducible.py",
    "transport/result.py": "transport/test_curriculum.py",
    "transport/solver.py": "transport/test_curriculum.py",
}
#: Modules without a test of their own, each with the reason.
NOT_TESTED = {
    "_version.py": "one assignment, looked at above",
    "exceptions.py": "every message is tested where it is raised",
}


def has_tests(name):
    """Whether a module, by its path in the package, is tested; private ones are tested through their room."""
    room = TESTS / name.parent
    if str(name) in NOT_TESTED:
        return True
    if name.stem.startswith("_") or name.parts[0] in TESTED_AS_A_WHOLE:
        return any(room.glob("test_*.py"))
    own = TESTS / TESTED_IN.get(str(name), f"{name.parent}/test_{name.stem}.py")
    return own.exists()


def test_every_module_has_a_test_module_or_a_reason():
    names = [path.relative_to(PACKAGE) for path in MODULES if path.name != "__init__.py"]
    missing = [str(name) for name in names if not has_tests(name)]
    assert not missing, f"neither a test module nor a reason: {missing}"


def test_no_reason_is_left_over():
    names = {str(path.relative_to(PACKAGE)) for path in MODULES}
    assert set(TESTED_IN) | set(NOT_TESTED) <= names
    assert set(TESTED_AS_A_WHOLE) <= {Path(name).parts[0] for name in names}


def code_lines(text):
    """Number of lines that hold code: no blank line, no comment, no docstring."""
    documented = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
                documented.update(range(first.lineno, first.end_lineno + 1))
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped and token.type != tokenize.ENDMARKER:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - documented)


def test_code_lines_are_counted_without_docstrings():
    text = '"""One.\n\nTwo.\n"""\n\n# three\nx = 1\n\n\ndef f():\n    """Four."""\n    return """5\n6"""\n'
    assert code_lines(text) == 4


#: Files that are longer, with what they may have at the most: none may grow, and none may join.
LONGER = {
    "bags/array.py": 290,
    "bags/bag.py": 243,
    "bags/packed.py": 245,
    "bags/readers.py": 235,
    "estimators/base.py": 260,
    "evaluation/compare.py": 215,
}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_stays_short_enough_to_read(path):
    n_lines = code_lines(path.read_text())
    assert n_lines <= LONGER.get(str(path.relative_to(PACKAGE)), 200)


def test_no_file_names_a_place_on_somebodys_machine():
    place = re.compile(r"(?<![\w.])/(?:home|Users|work|mnt|scratch|root)/\w[\w.\-]*|[A-Z]:.Users")
    found = []
    for path, text in tracked_texts():
        if path == Path("tests/guards/test_configuration.py"):
            continue
        found += [f"{path}: {match.group()}" for match in place.finditer(text)]
    assert not found
