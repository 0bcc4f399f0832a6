"""What is built from the sources works without them."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INGREDIENTS = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE")

USE_IT = """
import sys
from pathlib import Path
import sksurv_tta
from sksurv_tta.report import html
home = Path(sksurv_tta.__file__).parent
assert home == Path(sys.argv[1]) / "sksurv_tta", home
assert (home / "report" / "template.html").read_text()
print(sksurv_tta.__version__)
"""


def can_build():
    """Without a network: with the setuptools at hand."""
    try:
        return int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not can_build(), reason="building without a network needs setuptools 77 here")
def test_a_wheel_holds_the_whole_package_and_works_without_its_sources(tmp_path):
    source, wheels, site = (tmp_path / name for name in ("source", "wheels", "site"))
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sksurv_tta", source / "sksurv_tta", ignore=ignored)
    for name in INGREDIENTS:
        shutil.copy(ROOT / name, source)
    build = [
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        str(wheels),
    ]
    subprocess.run([sys.executable, "-m", "pip", *build, str(source)], check=True, capture_output=True)
    wanted = {str(p.relative_to(source)) for p in (source / "sksurv_tta").rglob("*.*")}
    shutil.rmtree(source)
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    assert {str(p.relative_to(site)) for p in (site / "sksurv_tta").rglob("*.*")} == wanted
    environment = os.environ | {"PYTHONPATH": str(site)}
    used = subprocess.run(
        [sys.executable, "-c", USE_IT, str(site)],
        cwd=tmp_path, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert f"-{used.stdout.strip()}-" in wheel.name
