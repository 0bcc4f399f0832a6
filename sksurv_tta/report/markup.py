"""HTML of which only this file knows how to write it: whatever is not markup already is escaped."""

from __future__ import annotations

from html import escape

__all__ = ["Markup", "join", "listed", "paragraphs", "tag"]

_EMPTY = ("br", "img")


class Markup(str):
    """Text that is HTML and goes into the page as it is; all other text is escaped."""

    __slots__ = ()


def join(*children: object) -> Markup:
    """Children one after another; what is not :class:`Markup` is escaped.

    Parameters
    ----------
    *children : Markup or object
        None is left out.
    """
    parts = [
        child if isinstance(child, Markup) else escape(str(child)) for child in children if child is not None
    ]
    return Markup("".join(parts))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element.

    Parameters
    ----------
    name : str
    *children : Markup or object
        See :func:`join`.
    **attributes
        Without a trailing underscore and with ``-`` for ``_``; None is left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{given}>" + ("" if name in _EMPTY else f"{join(*children)}</{name}>"))


def paragraphs(*texts: object) -> Markup:
    """A paragraph for each text."""
    return join(*(tag("p", text) for text in texts))


def listed(*items: object, ordered: bool = False, class_: str | None = None) -> Markup:
    """A list; nothing without items."""
    if not items:
        return Markup("")
    return tag("ol" if ordered else "ul", *(tag("li", item) for item in items), class_=class_)
