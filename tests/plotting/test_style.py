import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from sksurv_tta.plotting import as_png, as_svg, plot_concordance, plot_folds
from sksurv_tta.plotting.style import COLOURS, WIDTH, axes_for, plain, shortened

HOSTILE = "<script>alert(1)</script> $\\frac{"


def settings():
    # asking for the backend makes matplotlib choose one
    return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}


def svg_texts(svg):
    root = ElementTree.fromstring(svg)  # noqa: S314 - made by ourselves a line ago
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_text_in_svg_is_text_and_readable_at_the_width_of_a_column(folds):
    ax = plot_folds(folds)
    assert pytest.approx(85 / 25.4) == WIDTH == ax.figure.get_figwidth()
    assert "Patients in the test part" in svg_texts(as_svg(ax.figure))
    sizes = [text.get_fontsize() for text in [*ax.texts, *ax.get_xticklabels(), ax.yaxis.label]]
    assert min(sizes) >= 6


def test_the_same_figure_is_the_same_bytes(folds):
    for save in (as_svg, as_png):
        assert save(plot_folds(folds).figure) == save(plot_folds(folds).figure)


def test_no_setting_and_no_figure_is_left_behind(summary):
    before = settings()
    as_svg(plot_concordance(summary).figure)
    assert settings() == before
    check = "import sys, sksurv_tta.plotting; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_hostile_names_are_shown_and_nothing_else(summary):
    named = summary.replace({"model": {"a": HOSTILE, "b": "名前", "c": "_hidden\nbreak"}})
    figure = plot_concordance(named).figure
    assert as_png(figure)
    svg = as_svg(figure)
    assert b"<script" not in svg
    shown = svg_texts(svg)
    assert {"名前", "_hidden break"} <= set(shown)
    assert any(text.startswith("<script>alert(1)</") for text in shown)


def test_long_names_are_shortened_and_dollars_are_no_formula():
    assert shortened("x" * 24) == "x" * 24
    assert shortened("x" * 25) == "x" * 23 + "…"
    assert shortened("W" * 16) == "W" * 14 + "…"
    assert shortened("名" * 14) == "名" * 12 + "…"
    assert plain("a$b$\n c") == r"a\$b\$ c"


def test_nothing_reaches_over_the_edge_of_a_figure(summary, noise):
    figure = plot_concordance(summary.replace({"model": {"a": "W" * 40}}), noise=noise).figure
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01
    assert box.x1 <= figure.get_figwidth() + 0.01
    assert box.y0 >= -0.01
    assert box.y1 <= figure.get_figheight() + 0.01


def test_colours_are_apart_and_a_given_style_is_kept():
    assert len(set(COLOURS)) == len(COLOURS)
    ax = axes_for(None, height=2)
    assert axes_for(ax, height=5) is ax
