"""Which slide files a folder holds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sksurv_tta.bags import guards
from sksurv_tta.bags.readers import SUFFIXES
from sksurv_tta.bags.slide_files import slide_id
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["read_bag_folder"]

#: Where TRIDENT puts features below the folder of a job, for messages.
DEPTHS = ("*/*", "*/*/*")


def read_bag_folder(
    folder: str | os.PathLike[str],
    *,
    pattern: str | None = None,
    within: Iterable[str | os.PathLike[str]] = (),
) -> dict[str, Path]:
    """Find the feature files of a folder, by slide.

    Subfolders are not searched, except that a CLAM folder stands for its ``h5_files`` (which have the
    coordinates), or its ``pt_files`` if there are no others.

    Parameters
    ----------
    folder : path-like
        For example TRIDENT's ``features_<encoder>``.
    pattern : str, optional
        Only files that match, as in ``pathlib.Path.glob``: ``"TCGA-*.h5"``, or ``"**/*.h5"`` to search
        subfolders.
    within : iterable of path-like
        Further folders that links in this one may lead to. A link to anywhere else is refused: whoever gave
        you the folder would choose which of your files is opened.

    Returns
    -------
    files : dict of str to Path
        Slide id to file, sorted by id. The id is the file's name without its known suffixes.

    Raises
    ------
    BagFileError
        If the folder does not exist or holds no feature file, if a slide has two, or a link leads out.
    """
    root = Path(folder)
    if not root.is_dir():
        raise guards.refuse(folder, "is not a folder.")
    if pattern is None:
        found = _feature_files(root) or _feature_files(root / "h5_files") or _feature_files(root / "pt_files")
    else:
        found = sorted(path for path in root.glob(pattern) if _is_feature_file(path))
    if not found:
        raise guards.refuse(folder, f"holds no feature files ({listing(SUFFIXES)}); {_what_instead(root)}")
    _refuse_links_out(folder, found, [root, *map(Path, within)])
    files: dict[str, list[Path]] = {}
    for path in found:
        files.setdefault(slide_id(path), []).append(path)
    twice = {slide: paths for slide, paths in files.items() if len(paths) > 1}
    if twice:
        pairs = [
            f"{slide} ({', '.join(str(path.relative_to(root)) for path in ps)})"
            for slide, ps in twice.items()
        ]
        raise BagFileError(
            f"{folder}: {len(twice)} slides have more than one file: {listing(pairs, 5)}. "
            'Remove one of each, or choose by pattern="*.h5".',
            path=folder,
        )
    return {slide: files[slide][0] for slide in sorted(files)}


def _what_instead(root: Path) -> str:
    """What an error says of a folder without feature files: where there are some below, or what it holds."""
    below = {path.parent for depth in DEPTHS for path in root.glob(depth) if _is_feature_file(path)}
    if below:
        return f"folders below it do: {listing(sorted(below), 5)}. Pass the one with the features."
    return f"it holds: {listing(sorted(path.name for path in root.iterdir()), 5) or 'nothing'}."


def _refuse_links_out(folder: object, found: list[Path], roots: list[Path]) -> None:
    allowed = [root.resolve() for root in roots]
    outside = [
        f"{path.name} (to {target})"
        for path in found
        if not any((target := path.resolve()).is_relative_to(root) for root in allowed)
    ]
    if outside:
        raise BagFileError(
            f"{folder}: {len(outside)} files are links that lead out of the folder: {listing(outside, 5)}. "
            "If you trust where they lead, pass that folder as well: bags=[this folder, that folder].",
            path=folder,
        )


def _is_feature_file(path: Path) -> bool:
    # hidden files include the "._name.h5" that some systems leave on shared disks
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _feature_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_feature_file(path))
