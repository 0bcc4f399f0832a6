"""Imports point only downwards in the table of rooms."""

import ast
from pathlib import Path

import pytest

import sksurv_tta

ROOT = Path(sksurv_tta.__file__).parent

# A room may import rooms with a smaller number, and itself; equal numbers do not know each other.
LAYER = {
    "exceptions": 0, "_version": 0, "_threads": 0, "_files": 0,
    "bags": 1, "pathways": 1, "transport": 1, "losses": 1, "model_selection": 1,
    "cohort": 2, "networks": 2,
    "training": 3,
    "estimators": 4, "datasets": 4,
    "evaluation": 5,
    "plotting": 6,
    "report": 7,
    "cli": 8, "__main__": 9, "__init__": 9,
}  # fmt: skip


def room_of(path):
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def imported_rooms(path):
    package = ("sksurv_tta", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            names = [module] if module != "sksurv_tta" else [f"sksurv_tta.{a.name}" for a in node.names]
        else:
            continue
        for name in names:
            if name.startswith("sksurv_tta."):
                yield name.split(".")[1]


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path):
    room = room_of(path)
    for target in imported_rooms(path):
        if target in {room, "__version__"}:
            continue
        assert LAYER[target] < LAYER[room], f"{path.relative_to(ROOT)} must not import {target}"


def test_guard_sees_a_planted_upward_import(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    planted = tmp_path / "networks" / "bad.py"
    planted.parent.mkdir()
    planted.write_text("from sksurv_tta.training import net\n")
    assert list(imported_rooms(planted)) == ["training"]
    assert LAYER["training"] > LAYER[room_of(planted)]
