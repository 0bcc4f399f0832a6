"""Settings of the documentation: ``make docs`` builds it, with warnings as errors."""

import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import api_pages  # noqa: E402 - beside this file
from figure_scraper import keep_figures  # noqa: E402

import sksurv_tta  # noqa: E402

project = "sksurv_tta"
author = "The sksurv_tta developers"
copyright = "the sksurv_tta developers"
version = release = sksurv_tta.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # formulas also where there is no network
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py"]
templates_path = ["_templates"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
root_doc = "index"
suppress_warnings = ["config.cache"]  # the order of the gallery is a class, which the cache cannot hold
nitpicky = False

# Markdown pages
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3

# The reference follows from the docstrings
api_pages.write_pages(HERE / "api")
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say more
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Examples are run
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_\d+_",
    "ignore_pattern": r"(?<!\w)(?!plot_\d+_)\w+\.py$",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": (keep_figures,),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "matplotlib_animations": False,
    "plot_gallery": "True",
    "capture_repr": ("_repr_html_",),
    "doc_module": ("sksurv_tta",),
    "backreferences_dir": None,
}
warnings.filterwarnings("ignore", message=".*non-interactive.*")  # figures are kept, not shown

html_theme = "pydata_sphinx_theme"
html_title = "sksurv_tta"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "footer_start": ["copyright"],
    "footer_end": [],
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"*": []}  # pages of the first level have no neighbours to show


def _check_reference(app, env):
    """Refuse a reference in which a public name has no entry."""
    there = {entry[0] for entry in env.get_domain("py").get_objects()}
    lacking = [name for name in api_pages.documented_names() if name not in there]
    if lacking:
        raise RuntimeError(f"public names that the reference does not document: {', '.join(lacking)}")


def _skip(app, what, name, member, skip, options):
    """Leave out what scikit-learn adds to every estimator for metadata routing: its docs are elsewhere."""
    foreign = str(getattr(member, "__module__", "")).startswith("sklearn.")
    return True if foreign or name.endswith("_request") else None


def setup(app):
    app.connect("autodoc-skip-member", _skip)
    app.connect("env-check-consistency", _check_reference)
