"""Tables of a page: caption, headers with their scope, and notes that say why a number is missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

import numpy as np
import pandas as pd

from sksurv_tta.report.markup import Markup, join, listed, tag

__all__ = ["Notes", "as_table", "interval", "number", "records"]

MINUS = "−"
LONGEST_UNBROKEN = 15  # rows of a table that stays on one page in print


class Notes:
    """Reasons below a table, each with its number, however often it is used."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> Markup:
        """The number of a reason, as it stands in a cell."""
        if text not in self._texts:
            self._texts.append(text)
        return tag("sup", f"[{self._texts.index(text) + 1}]")

    def as_list(self) -> Markup:
        """All reasons."""
        return listed(*self._texts, ordered=True, class_="notes")


def number(value: float, *, digits: int = 3, sign: bool = False) -> str:
    """A number of fixed digits with a real minus; a dash where there is none.

    Parameters
    ----------
    value : float
    digits : int
    sign : bool
        Also write a plus.
    """
    if not np.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''}.{digits}f}".replace("-", MINUS)


def interval(lower: float, upper: float, *, digits: int = 3, sign: bool = False) -> str:
    """Both ends of an interval, or that there is none.

    Parameters
    ----------
    lower, upper : float
    digits : int
    sign : bool
    """
    if not (np.isfinite(lower) and np.isfinite(upper)):
        return "no interval"
    return f"{number(lower, digits=digits, sign=sign)} to {number(upper, digits=digits, sign=sign)}"


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, by the names of its columns."""
    return cast(list[dict[str, Any]], table.to_dict("records"))


def as_table(
    header: Sequence[object],
    rows: Sequence[Sequence[object]],
    *,
    caption: object,
    prose: Collection[int] = (),
    notes: Notes | None = None,
) -> Markup:
    """A table in a box that scrolls by itself on a narrow screen.

    Parameters
    ----------
    header : sequence
        Of the columns.
    rows : sequence of sequences
        The first cell of each is its header.
    caption : object
    prose : collection of int
        Columns that hold text and no numbers, besides the first.
    notes : Notes, optional
        Written below.
    """
    places = ["text" if place in prose or not place else None for place in range(len(header))]
    head = [tag("th", name, scope="col", class_=place) for name, place in zip(header, places, strict=True)]
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell, class_=place) for cell, place in zip(row[1:], places[1:], strict=True)),
        )
        for row in rows
    ]
    table = tag("table", tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *body))
    box = tag(
        "div",
        table,
        class_="scroll" if len(rows) <= 15 else "scroll long",
        role="region",
        tabindex="0",
        aria_label=caption,
    )
    return join(box, notes.as_list() if notes is not None else None)
