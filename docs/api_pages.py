"""Write the pages of the API reference: one for each room, with every name that the room offers.

The pages follow from ``__all__``, so a name cannot be public without being documented, nor the reverse.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

#: Rooms of the package in the order in which a user meets them, with the title of their page.
ROOMS = {
    "estimators": "Estimators",
    "cohort": "Cohorts",
    "bags": "Bags of instances",
    "pathways": "Pathways",
    "datasets": "Simulated cohorts",
    "model_selection": "Folds",
    "evaluation": "Evaluation",
    "plotting": "Figures",
    "report": "Reports",
    "transport": "Transport",
    "losses": "Losses",
    "networks": "Networks",
    "training": "Training",
    "exceptions": "Errors and warnings",
}
#: Rooms that are used from a shell: their page is written by hand.
NOT_IMPORTED = {"cli": "user_guide/command_line.md"}

_LIST = ".. autosummary::\n   :toctree: generated/\n   :nosignatures:\n\n{names}\n"
_PLAIN = str | int | float | tuple | list | dict


def public_names(module: str) -> list[str]:
    """Names that a module offers, sorted without regard to case.

    Parameters
    ----------
    module : str
        With the name of the package.
    """
    return sorted(importlib.import_module(module).__all__, key=str.lower)


def home_of(room: str, name: str) -> str:
    """Full name under which something is documented: the shortest one that can be imported.

    Parameters
    ----------
    room, name : str
    """
    offered = getattr(importlib.import_module(f"sksurv_tta.{room}"), name)
    if _offers("sksurv_tta", name, offered):
        return f"sksurv_tta.{name}"
    first = next(other for other in ROOMS if _offers(f"sksurv_tta.{other}", name, offered))
    return f"sksurv_tta.{first}.{name}"


def _offers(module: str, name: str, offered: object) -> bool:
    """Whether a module offers this very thing; two rooms may give different things the same name."""
    return name in public_names(module) and getattr(importlib.import_module(module), name) is offered


def documented_names() -> list[str]:
    """Full name of everything that gets a page or an entry of its own, each once."""
    found = {f"sksurv_tta.{name}" for name in public_names("sksurv_tta") if name != "__version__"}
    for room in ROOMS:
        found |= {home_of(room, name) for name in public_names(f"sksurv_tta.{room}")}
    return sorted(found)


def _is_constant(full_name: str) -> bool:
    module, _, name = full_name.rpartition(".")
    return isinstance(getattr(importlib.import_module(module), name), _PLAIN)


def _comment_above(full_name: str) -> str:
    """What the source says about a constant: the ``#:`` lines above it."""
    module, _, name = full_name.rpartition(".")
    value_module = importlib.import_module(module)
    for loaded in (value_module, *_modules_below(module)):
        text = inspect.getsource(loaded)
        found = re.search(rf"((?:^#: .*\n)+)^{name}\b[^\n]*=", text, re.MULTILINE)
        if found:
            return " ".join(line.removeprefix("#: ") for line in found[1].splitlines())
    return ""


def _modules_below(module: str) -> list[object]:
    path = Path(str(importlib.import_module(module).__file__)).parent
    names = sorted(f.stem for f in path.glob("*.py") if not f.stem.startswith("__"))
    return [importlib.import_module(f"{module}.{name}") for name in names if module.count(".") == 1]


def page_of(room: str) -> str:
    """Source of the page of a room, in reStructuredText.

    Parameters
    ----------
    room : str
    """
    module = f"sksurv_tta.{room}"
    homes = [home_of(room, name) for name in public_names(module)]
    mine = [home for home in homes if home.startswith(module + ".") or _belongs_here(room, home)]
    elsewhere = [home for home in homes if home not in mine]
    title = ROOMS[room]
    text = (
        f"{title}\n{'=' * len(title)}\n\n``{module}``: {inspect.getdoc(importlib.import_module(module))}\n\n"
    )
    text += ".. currentmodule:: sksurv_tta\n\n"
    listed = [home.removeprefix("sksurv_tta.") for home in mine if not _is_constant(home)]
    if listed:
        text += _LIST.format(names="\n".join(f"   {name}" for name in listed))
    for home in filter(_is_constant, mine):
        name = home.removeprefix("sksurv_tta.")
        text += f"\n.. py:data:: {name}\n\n   {_comment_above(home) or 'A constant.'}\n"
    if elsewhere:
        links = ", ".join(f":py:obj:`{home}`" for home in elsewhere)
        text += f"\nAlso offered here, documented elsewhere: {links}.\n"
    return text


def _belongs_here(room: str, home: str) -> bool:
    """Whether a name of the package itself is listed on this room's page: the first room that offers it."""
    name = home.rpartition(".")[2]
    return home.count(".") == 1 and room == next(
        other for other in ROOMS if name in public_names(f"sksurv_tta.{other}")
    )


def index_page() -> str:
    """Source of the first page of the reference: all rooms, and the names of the package itself."""
    top = [name for name in public_names("sksurv_tta") if name != "__version__"]
    lines = "\n".join(f"* :py:obj:`sksurv_tta.{name}`" for name in top)
    rooms = "\n".join(f"   {room}" for room in ROOMS)
    return (
        "API reference\n=============\n\n"
        "What most users need can be imported from ``sksurv_tta`` itself:\n\n"
        f"{lines}\n\n"
        "Everything else is in the rooms below. ``sksurv_tta.__version__`` is the version as text. Shapes\n"
        "are written as in NumPy; ``n_patients`` is the number of rows of ``X``.\n\n"
        f".. toctree::\n   :maxdepth: 2\n\n{rooms}\n"
    )


def write_pages(folder: Path) -> None:
    """Write all pages; a page that would not change is left alone, so that Sphinx need not read it again.

    Parameters
    ----------
    folder : Path
    """
    folder.mkdir(exist_ok=True)
    pages = {room: page_of(room) for room in ROOMS} | {"index": index_page()}
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
