"""``docs/paper_map.md`` and the docstrings say the same about the paper's equations."""

import ast
import importlib
import re
from pathlib import Path

import pytest

import sksurv_tta

ROOT = Path(sksurv_tta.__file__).parent
MAP = ROOT.parent / "docs" / "paper_map.md"
# Rooms whose docstrings claim equations; elsewhere "Eq. (n)" is a reference for the reader.
ROOMS = ("losses", "networks", "training", "transport")
MENTION = re.compile(r"Eqs?\. \((\d+)\)(?:\s*(?:-|–|to)\s*\((\d+)\))?")

pytestmark = pytest.mark.skipif(not MAP.exists(), reason="the docs are not part of an installed package")


def equations_in(text):
    """Numbers of the equations that a docstring names, ranges included."""
    found = set()
    for first, last in MENTION.findall(text):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def definitions(node, prefix):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            name = f"{prefix}.{child.name}"
            yield name, child
            yield from definitions(child, name)


def claims_of(rooms):
    """(equation, name) for every docstring in these rooms."""
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] in rooms:
            for name, node in definitions(ast.parse(path.read_text()), ".".join(parts)):
                found |= {(number, name) for number in equations_in(ast.get_docstring(node) or "")}
    return found


def rows_of(heading):
    section = MAP.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def mapped():
    """(equation, name) for every row of the first table."""
    return {
        (int(number), name)
        for number, _, functions, _ in rows_of("Equations in the code")
        for name in re.findall(r"`([^`]+)`", functions)
    }


def without_code():
    found = set()
    for numbers, _ in rows_of("Equations that need no code"):
        first, _, last = numbers.partition("–")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_claim_of_a_docstring_is_in_the_map():
    assert claims_of(ROOMS) - mapped() == set()


def test_every_row_of_the_map_is_claimed_by_the_docstring_of_its_function():
    assert mapped() - claims_of(ROOMS) == set()


def test_every_equation_of_the_paper_has_code_or_a_reason_for_none():
    in_code = {number for number, _ in mapped()}
    assert in_code | without_code() == set(range(1, 57))
    assert in_code & without_code() == set()
    assert {6} == without_code() & (set(range(1, 21)) | set(range(46, 57)))


def test_every_function_of_the_map_exists():
    for _, name in mapped():
        parts = name.split(".")
        depth = next(
            n for n in range(len(parts), 0, -1) if (ROOT / Path(*parts[:n])).with_suffix(".py").exists()
        )
        found = importlib.import_module("sksurv_tta." + ".".join(parts[:depth]))
        for part in parts[depth:]:
            found = getattr(found, part)
        assert callable(found), name


def test_every_row_says_what_deviates():
    for number, subject, _, deviation in rows_of("Equations in the code"):
        assert subject, number
        assert deviation, number
    assert all(reason for _, reason in rows_of("Equations that need no code"))


def test_equations_that_other_rooms_refer_to_are_in_the_map():
    others = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.rglob("*.py")} - set(ROOMS)
    assert {number for number, _ in claims_of(others)} <= {number for number, _ in mapped()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Eq. (4): C", {4}),
        ("Eq. (14) and Eq. (15).", {14, 15}),
        ("as in Eqs. (50)-(53): x", {50, 51, 52, 53}),
        ("no equation (4)", set()),
    ],
)
def test_guard_reads_what_docstrings_write(text, expected):
    assert equations_in(text) == expected
