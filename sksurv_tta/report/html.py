"""One page that shows what an evaluation found: no script, nothing from the network, all figures inside."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from importlib.resources import files
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from sksurv_tta.cohort import Cohort
from sksurv_tta.evaluation import Comparison
from sksurv_tta.evaluation.safe_csv import write_text
from sksurv_tta.report.headline import headline
from sksurv_tta.report.markup import Markup, join, listed, tag
from sksurv_tta.report.run import RunDescription
from sksurv_tta.report.sections import Section, all_sections

if TYPE_CHECKING:
    from sksurv_tta.report.figures import Drawing

__all__ = ["HOW_TO_DRAW", "can_draw", "render_report", "write_report"]

TITLE = "Comparison of survival models"
HOW_TO_DRAW = 'Figures and report.html need matplotlib: pip install "sksurv-tta[plot]"'
#: Bytes above which a figure goes into the page as PNG, if that is smaller.
LARGE_SVG = 100_000


def can_draw() -> bool:
    """Whether matplotlib, which figures and the report need, is installed."""
    return find_spec("matplotlib") is not None


def write_report(
    comparison: Comparison,
    cohort: Cohort,
    directory: str | PathLike[str],
    *,
    description: RunDescription,
) -> None:
    """Write ``report.html``, and its figures as SVG and PNG into ``figures``.

    Parameters
    ----------
    comparison : Comparison
    cohort : Cohort
        The patients it was made on.
    directory : path-like
        Made if it does not exist.
    description : RunDescription

    Raises
    ------
    ImportError
        Without matplotlib; see :func:`can_draw`.
    OSError
        If a file cannot be written.
    """
    from sksurv_tta.report.figures import all_drawings, write_figures

    drawings = all_drawings(comparison, time_label=_time_label(description))
    folder = Path(directory)
    write_figures(drawings, folder / "figures")
    page = render_report(comparison, cohort, description=description, drawings=drawings)
    write_text(page, folder / "report.html")


def render_report(
    comparison: Comparison, cohort: Cohort, *, description: RunDescription, drawings: Sequence[Drawing]
) -> str:
    """The page.

    Parameters
    ----------
    comparison : Comparison
    cohort : Cohort
    description : RunDescription
    drawings : sequence of Drawing
        From :func:`sksurv_tta.report.figures.all_drawings`.

    Returns
    -------
    html : str
        The same for the same input, to the byte.
    """
    result, judgement = headline(comparison, cohort)
    sections = all_sections(comparison, cohort, description)
    version = description.versions["sksurv-tta"]
    template = Template(files(__package__).joinpath("template.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=join(TITLE),
        generator=join(f"sksurv-tta {version}"),
        headline=tag("div", tag("p", result), listed(*judgement), class_="result"),
        contents=listed(*(tag("a", s.title, href=f"#{s.name}") for s in sections)),
        sections=join(*(_render(section, drawings) for section in sections)),
        footer=join(
            f"Made by sksurv-tta {version} from the tables beside this page. The page holds no patient ids "
            "and loads nothing from the network. The figures are in the folder figures, ready for print."
        ),
    )


def _time_label(description: RunDescription) -> str:
    column = str(description.options.get("time") or "time")
    return "Time" if column == "time" else f"Time ({column})"


def _render(section: Section, drawings: Sequence[Drawing]) -> Markup:
    own = [drawing for drawing in drawings if drawing.section == section.name]
    shown = tag("div", *(_as_figure(drawing) for drawing in own), class_="figures") if own else None
    heading = tag("h2", section.title, id=f"{section.name}-title")
    return tag(
        "section", heading, section.before, shown, section.after,
        id=section.name, aria_labelledby=f"{section.name}-title",
    )  # fmt: skip


def _as_figure(drawing: Drawing) -> Markup:
    content, kind = drawing.svg, "svg+xml"
    if len(content) > LARGE_SVG and len(drawing.png) < len(content):
        content, kind = drawing.png, "png"
    width, height = (round(96 * inches) for inches in drawing.figure.get_size_inches())
    source = f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"
    image = tag("img", src=source, alt=drawing.alt, width=width, height=height)
    return tag("figure", image, tag("figcaption", drawing.caption))
