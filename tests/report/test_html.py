"""The page: well formed, complete, self-contained, and nothing of the data becomes markup."""

import subprocess
import sys
from base64 import b64decode
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

import sksurv_tta.cli.evaluate as command
from sksurv_tta.cli import main
from sksurv_tta.datasets import make_cohort, write_cohort
from sksurv_tta.evaluation import RidgeCox, compare
from sksurv_tta.report import HOW_TO_DRAW, RunDescription, can_draw, write_report
from sksurv_tta.report.figures import all_drawings
from sksurv_tta.report.html import render_report
from sksurv_tta.report.markup import join, tag

SCRIPT = "<script>alert(1)</script>"
EMPTY = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Elements, texts and attributes of a page; fails where tags are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts, self.ids = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def values(self, name, of=None):
        return [value for tag, key, value in self.attributes if key == name and of in (None, tag)]


@pytest.fixture(scope="module")
def written(hostile, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(hostile.comparison, hostile.cohort, folder, description=hostile.description)
    text = (folder / "report.html").read_text(encoding="utf-8")
    return SimpleNamespace(folder=folder, text=text, page=Page(text))


def test_every_section_is_there_and_the_contents_lead_to_it(written):
    sections = [name for name in written.page.values("id") if not name.endswith("-title")]
    assert sections == [
        "cohort",
        "folds",
        "measures",
        "differences",
        "noise",
        "groups",
        "calibration",
        "learning",
        "run",
        "reading",
    ]
    links = written.page.values("href")
    assert links == [f"#{name}" for name in sections]
    assert len(set(written.page.values("id"))) == len(written.page.values("id"))


def test_the_page_loads_nothing_and_runs_nothing(written):
    assert not {"script", "iframe", "object", "embed", "link", "form"} & set(written.page.tags)
    assert all(source.startswith("data:image/") for source in written.page.values("src"))
    assert not [name for _, name, _ in written.page.attributes if name.startswith("on")]
    styles = written.text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in styles
    assert "@import" not in styles
    assert "http" not in written.text
    assert len(written.text) < 3_000_000


def test_hostile_names_are_text(written, hostile):
    shown = "".join(written.page.texts)
    for name in (*hostile.models, SCRIPT, f"no gene {SCRIPT}"):
        assert name in shown
    assert "<script" not in written.text
    assert "onerror=alert(1)>" not in written.text
    assert written.page.tags.count("img") == len(list((written.folder / "figures").glob("*.svg")))
    for source in written.page.values("src"):
        assert b"<script" not in b64decode(source.partition(",")[2])


def test_no_patient_is_named(written, hostile):
    assert not [name for name in hostile.cohort.ids if str(name) in written.text]
    for path in (written.folder / "figures").glob("*.svg"):
        assert not [name for name in hostile.cohort.ids if str(name) in path.read_text(encoding="utf-8")]


def test_pictures_have_words_and_tables_have_headers(written):
    page = written.page
    assert len(page.values("alt", of="img")) == page.tags.count("img") > 6
    assert all(page.values("alt", of="img"))
    assert page.tags.count("caption") == page.tags.count("table") > 8
    assert page.tags.count("th") == len(page.values("scope", of="th"))
    assert page.tags.count("figcaption") == page.tags.count("figure")
    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("h1") == 1


def test_numbers_are_those_of_the_tables(written, hostile):
    shown = written.page.texts
    rows = hostile.comparison.summary
    for value in rows.loc[rows["metric"] == "c_index", "mean"].dropna():
        assert any(f"{value:.3f}" in text for text in shown)
    noise = hostile.comparison.noise_floor.iloc[-1]
    assert any(f"deviation of {noise['sd']:.3f}" in text for text in shown)
    assert str(len(hostile.cohort)) in shown


def test_missing_values_have_their_reason(written):
    notes = [text for text in written.page.texts if text.startswith("Missing in")]
    assert any("the model failed: ValueError: no gene" in text for text in notes)
    assert any("the model predicts no survival functions" in text for text in notes)


def test_findings_on_the_folds_are_told(written):
    shown = "".join(written.page.texts)
    assert "What to know about these folds" in shown
    assert f"{SCRIPT} (" in shown  # the site, with its number of patients


def test_figures_are_written_for_print_under_safe_names(written, hostile):
    names = {path.name for path in (written.folder / "figures").iterdir()}
    assert {"concordance.svg", "concordance.png", "folds.svg", "differences.svg"} < names
    assert "kaplan_meier_1_script_alert_1_script.svg" in names
    assert "learning_2_img_src_x_onerror_alert_1.png" in names
    assert {name.rpartition(".")[0] for name in names} == {
        drawing.name for drawing in all_drawings(hostile.comparison)
    }


def test_figures_of_models_that_are_gone_are_taken_away_and_others_are_not(hostile, tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    for name in ("kaplan_meier_9_old.svg", "my own.png", "learning_notes.txt"):
        (folder / name).write_text("")
    write_report(hostile.comparison, hostile.cohort, tmp_path, description=hostile.description)
    left = {path.name for path in folder.iterdir()}
    assert "kaplan_meier_9_old.svg" not in left
    assert {"my own.png", "learning_notes.txt"} < left


def test_the_same_results_are_the_same_page(written, hostile):
    again = render_report(
        hostile.comparison,
        hostile.cohort,
        description=hostile.description,
        drawings=all_drawings(hostile.comparison, time_label=f"Time ({SCRIPT})"),
    )
    assert again == written.text


def test_without_sites_times_and_networks_the_page_says_so_and_leaves_out(tmp_path):
    cohort = make_cohort(
        40, random_state=0, n_pathways=2, genes_per_pathway=2, n_instances=(2, 3), n_features=3
    )
    models = {"one": RidgeCox(alpha=1.0)}
    X = cohort.X[cohort.genes]
    result = compare(models, X, cohort.y, cv=2, metrics=["c_index"], n_resamples=20, random_state=0)
    nowhere = type(cohort)(X=X, y=cohort.y, site=None, table=cohort.table)
    write_report(
        result,
        nowhere,
        tmp_path,
        description=RunDescription.of(nowhere, command=[], options={}, models=models),
    )
    page = Page((tmp_path / "report.html").read_text())
    shown = "".join(page.texts)
    assert not {"calibration", "learning"} & set(page.values("id"))
    assert "There is one model only" in shown
    assert "Sites are not known" in shown
    assert "The concordance on patients not seen in training is that of one" in shown


def test_everything_but_markup_is_escaped():
    assert tag("p", "<b>", 3, None, tag("i", "&"), title='"x"') == (
        '<p title="&quot;x&quot;">&lt;b&gt;3<i>&amp;</i></p>'
    )
    assert tag("img", alt="a", src=None) == '<img alt="a">'
    assert join("<", tag("br")) == "&lt;<br>"


def test_without_matplotlib_tables_are_written_and_one_line_says_how_to_get_the_report(
    tmp_path, monkeypatch, capsys
):
    cohort = make_cohort(
        40, random_state=0, n_pathways=2, genes_per_pathway=2, n_instances=(2, 3), n_features=3, n_sites=6
    )
    files = write_cohort(cohort, tmp_path / "data")
    monkeypatch.setattr(command, "can_draw", lambda: False)
    code = main(
        [
            "evaluate", "--expression", str(files.expression), "--outcomes", str(files.outcomes),
            "--time", "time", "--event", "event", "--site", "site", "--models", "ridge-genes",
            "--n-folds", "2", "--out", str(tmp_path / "r"), "--quiet",
        ]
    )  # fmt: skip
    assert code == 0
    assert capsys.readouterr().err.splitlines()[-1] == HOW_TO_DRAW
    assert 'pip install "sksurv-tta[plot]"' in HOW_TO_DRAW
    names = {path.name for path in (tmp_path / "r").iterdir()}
    assert "summary.csv" in names
    assert not {"report.html", "figures"} & names


def test_the_package_works_where_matplotlib_cannot_be_imported():
    check = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import importlib.util as u; found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'matplotlib' else found(name, *a)\n"
        "import sksurv_tta.cli, sksurv_tta.report.html as h\n"
        "h.find_spec = u.find_spec\n"
        "assert not h.can_draw()"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
    assert can_draw()
