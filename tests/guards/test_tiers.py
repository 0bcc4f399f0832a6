"""The nightly tier is one command for all tests, and every test that draws at random draws more in it."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
COMMAND = "\n    SKSURV_TTA_TIER=nightly python -m pytest\n"


def tiers():
    tree = ast.parse((TESTS / "conftest.py").read_text())
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    return ast.literal_eval(values["TIERS"])


def test_a_tier_sets_what_tests_read_and_nothing_else():
    asked = r'environ\.get\(\s*"(SKSURV_TTA_\w+)"'
    read = {name for path in TESTS.rglob("test_*.py") for name in re.findall(asked, path.read_text())}
    assert len(read) >= 5
    for name, values in tiers().items():
        assert set(values) == (set() if name == "quick" else read), name


def test_every_property_is_tried_on_more_examples_in_a_larger_tier():
    few = [
        f"{path.relative_to(TESTS)}: {line.strip()}"
        for path in TESTS.rglob("test_*.py")
        for line in path.read_text().splitlines()
        if re.search(r"max_examples=\d+", line) and "* MORE" not in line
    ]
    assert not few


@pytest.mark.parametrize("page", ["docs/reliability.md", "tests/conftest.py"])
def test_the_command_is_written_where_it_is_looked_for(page):
    assert COMMAND in (TESTS.parent / page).read_text()
