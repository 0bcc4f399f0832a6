"""The documentation says what there is: every public name, every parameter, and code that runs."""

import ast
import doctest
import importlib
import importlib.util
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import sksurv_tta
from sksurv_tta.datasets import make_cohort, write_cohort
from sksurv_tta.estimators import all_estimators
from sksurv_tta.estimators.peer import PeerEstimator

PACKAGE = Path(sksurv_tta.__file__).parent
ROOT = PACKAGE.parent
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"

pytestmark = pytest.mark.skipif(
    not (DOCS / "conf.py").exists(), reason="the docs are not part of an installed package"
)


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


api_pages = load(DOCS / "api_pages.py") if (DOCS / "api_pages.py").exists() else None


# The reference


def test_every_room_has_a_page():
    rooms = {module.name for module in pkgutil.iter_modules([str(PACKAGE)]) if module.name[0] != "_"}
    assert rooms == set(api_pages.ROOMS) | set(api_pages.NOT_IMPORTED)
    assert all((DOCS / page).exists() for page in api_pages.NOT_IMPORTED.values())


@pytest.mark.parametrize("room", [] if api_pages is None else api_pages.ROOMS)
def test_the_page_of_a_room_names_all_that_the_room_offers_and_nothing_else(room):
    page = api_pages.page_of(room)
    entries = re.findall(r"^   ((?:[a-z]\w*\.)?\w+)$", page, re.MULTILINE)
    entries += re.findall(r"py:data:: (\S+)", page) + re.findall(r":py:obj:`sksurv_tta\.([\w.]+)`", page)
    offered = sorted(importlib.import_module(f"sksurv_tta.{room}").__all__)
    assert sorted(entry.rpartition(".")[2] for entry in entries) == offered


def test_every_name_is_documented_once():
    pages = "\n".join(api_pages.page_of(room) for room in api_pages.ROOMS)
    entries = re.findall(r"^   ([a-z_]\w*(?:\.\w+)*|[A-Z]\w+)$", pages, re.MULTILINE)
    entries += re.findall(r"py:data:: (\S+)", pages)
    assert sorted(f"sksurv_tta.{entry}" for entry in entries) == api_pages.documented_names()


def documented_callables():
    """Full name of each public function or class that takes arguments."""
    for full_name in [] if api_pages is None else api_pages.documented_names():
        module, _, name = full_name.rpartition(".")
        found = getattr(importlib.import_module(module), name)
        if inspect.isfunction(found) or (inspect.isclass(found) and not issubclass(found, BaseException)):
            yield full_name, found


CALLABLES = dict(documented_callables())


def section_of(docstring, title):
    """Lines of one section of a numpydoc docstring; none without it."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w[\w ]*\n-{{3,}}$|\Z)", docstring, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def names_in(section):
    names = re.findall(r"^(\*{0,2}\w[\w, *]*?)(?: : .*)?$", section, re.MULTILINE)
    return [name.strip().lstrip("*") for line in names for name in line.split(",")]


@pytest.mark.parametrize("full_name", CALLABLES)
def test_a_public_name_says_what_it_is(full_name):
    assert (inspect.getdoc(CALLABLES[full_name]) or "").strip()


@pytest.mark.parametrize(
    "full_name", [name for name, found in CALLABLES.items() if inspect.isfunction(found)]
)
def test_the_documented_parameters_are_those_of_the_signature(full_name):
    function = CALLABLES[full_name]
    documented = names_in(section_of(inspect.getdoc(function), "Parameters"))
    signature = list(inspect.signature(function).parameters)
    assert sorted(documented) == sorted(signature)


# Code in pages


def python_blocks(path):
    return re.findall(r"^```python\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted((DOCS / "user_guide").glob("*.md"))]
#: Pages that compare models: many fits.
COMPARE = ("README.md", "ablations.md")
#: A network that learns nothing in no time: pages are run for their calls, not for their results.
TINY = {
    "n_members": 2,
    "token_dim": 4, "prototype_dim": 4, "n_prototypes": 2, "n_heads": 1, "batch_size": 64, "max_epochs": 1,
    "n_time_bins": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The files that the pages name, in a folder."""
    folder = tmp_path_factory.mktemp("pages")
    cohort = make_cohort(60, random_state=0, n_instances=(3, 6), n_features=4, n_sites=8)
    write_cohort(cohort, folder / "mine")
    (folder / "features_uni").symlink_to(folder / "mine" / "features")
    (folder / "rna.csv").symlink_to(folder / "mine" / "expression.csv")
    (folder / "hallmark.gmt").symlink_to(folder / "mine" / "pathways.gmt")
    clinical = (folder / "mine" / "clinical.csv").read_text()
    (folder / "clinical.csv").write_text(
        clinical.replace("time", "dss_days", 1).replace("event", "dss", 1), encoding="utf-8"
    )
    return folder, cohort


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=str(page.relative_to(ROOT)), marks=[pytest.mark.slow] * (page.name in COMPARE))
        for page in PAGES
        if page.exists() and python_blocks(page)
    ],
)
@pytest.mark.filterwarnings("ignore::sksurv_tta.exceptions.SksurvTTAWarning")
def test_the_python_of_a_page_runs(page, study, monkeypatch):
    folder, cohort = study
    monkeypatch.chdir(folder)
    defaults = sksurv_tta.TTASurvivalEstimator.__init__.__kwdefaults__
    monkeypatch.setattr(sksurv_tta.TTASurvivalEstimator.__init__, "__kwdefaults__", {**defaults, **TINY})
    names = {"cohort": cohort, "X": cohort.X, "y": cohort.y, "site": cohort.site, "__name__": "page"}
    for number, block in enumerate(python_blocks(page)):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "max_epochs":
                node.value = ast.copy_location(ast.Constant(1), node.value)
        exec(compile(tree, f"{page.name}, block {number}", "exec"), names)  # noqa: S102 - our own pages


def test_the_first_page_leads_to_every_page():
    toctree = (DOCS / "index.md").read_text(encoding="utf-8").split("```{toctree}")[1]
    assert "\n*\n" in toctree
    assert ":glob:" in toctree
    guide = (DOCS / "user_guide" / "index.md").read_text(encoding="utf-8")
    assert {page.stem for page in (DOCS / "user_guide").glob("*.md")} - {"index"} <= set(guide.split())


def test_the_table_of_other_methods_says_what_the_estimators_say():
    page = (DOCS / "user_guide" / "competitors.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"estimators\.(\w+)`\s*\| `([\w-]+)` \| (\w+) \|.*\| (hazards|Cox), (\w+) (\S+), (.*) \|$", page, re.M
    )
    peers = [each for _, each in all_estimators() if issubclass(each, PeerEstimator)]
    assert {row[0] for row in rows} == {each.__name__ for each in peers}
    for name, short_name, takes, loss, optimizer, rate, epochs in rows:
        peer = getattr(importlib.import_module("sksurv_tta.estimators"), name)
        settings = peer._original.settings
        assert (short_name, loss) == (
            peer._short_name,
            {"discrete": "hazards", "cox": "Cox"}[settings["loss"]],
        )
        assert (takes,) == peer._required or (takes == "both" and len(peer._required) == 2)
        assert (optimizer, float(rate)) == (peer._original.optimizer.__name__, settings["lr"])
        assert f"{settings['max_epochs']} epochs of {settings['batch_size']}" in epochs
        assert ("early stopping" in epochs) == settings["early_stopping"]


# Docstrings and examples


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_examples_of_the_docstrings_are_right(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    assert doctest.testmod(module).failed == 0


SCRIPTS = sorted(EXAMPLES.glob("plot_*.py")) if EXAMPLES.exists() else []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_example_begins_with_its_goal_and_ends_with_what_it_shows(script):
    text = script.read_text(encoding="utf-8")
    title, goal = ast.get_docstring(ast.parse(text)).split("\n\n")[:2]
    assert re.fullmatch(r".+\n=+", title)
    assert goal.split()[0].istitle()
    assert goal.endswith(".")
    *_, last = text.split("# %%\n")
    assert last.startswith("# **What it shows:** ")
    assert all(line.startswith("#") for line in last.strip().splitlines())


def test_examples_are_numbered_without_gaps():
    numbers = [int(script.name.split("_")[1]) for script in SCRIPTS]
    assert numbers == list(range(1, len(numbers) + 1))
