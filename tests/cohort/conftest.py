"""A small study on disk: six patients at three sites, as a clinical table, an expression table and slides."""

import zlib
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from sksurv_tta.cohort import read_cohort

GENES = ["ACTB", "TP53", "BRCA1", "SEPTIN2"]
PATIENTS = ["A-01", "A-02", "B-01", "B-02", "C-01", "C-02"]


def write_slide(folder, name, n_instances=4, n_features=3, seed=None):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(name.encode()) if seed is None else seed)
    with h5py.File(folder / f"{name}.h5", "w") as file:
        file["features"] = rng.standard_normal((n_instances, n_features)).astype(np.float32)
        file["coords"] = rng.integers(0, 100, size=(n_instances, 2))


class Study(SimpleNamespace):
    """Tables to change before they are read, and the reading."""

    def write(self):
        self.clinical.to_csv(self.folder / "clinical.csv", index=False)
        self.expression.to_csv(self.folder / "rna.csv")

    def read(self, **changes):
        self.write()
        arguments = {
            "bags": self.bags,
            "expression": self.folder / "rna.csv",
            "outcomes": self.folder / "clinical.csv",
            "time": "days",
            "event": "death",
        }
        return read_cohort(**(arguments | changes))


@pytest.fixture
def study(tmp_path):
    rng = np.random.default_rng(0)
    bags = tmp_path / "features"
    for number, patient in enumerate(PATIENTS):
        write_slide(bags, patient, n_instances=2 + number, seed=number)
    clinical = pd.DataFrame(
        {
            "case_id": PATIENTS,
            "hospital": [patient[0] for patient in PATIENTS],
            "days": [100.0, 200.5, 300.0, 400.0, 50.0, 600.0],
            "death": [1, 0, 1, 0, 1, 0],
            "fold": [0, 1, 2, 0, 1, 2],
        }
    )
    expression = pd.DataFrame(rng.standard_normal((6, 4)), index=PATIENTS, columns=GENES)
    return Study(folder=tmp_path, bags=bags, clinical=clinical, expression=expression)
