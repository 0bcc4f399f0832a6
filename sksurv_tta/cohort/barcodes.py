"""What the barcodes of The Cancer Genome Atlas say: patient, tissue source site, type of sample.

A slide's barcode is ``TCGA-2F-A9KO-01Z-00-DX1.<uuid>``: the first 12 characters are the patient, characters
6 and 7 the tissue source site, characters 14 and 15 the sample type (01 primary tumour, 06 metastasis,
10 to 14 normal tissue), ``DX`` a diagnostic slide.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from sksurv_tta.exceptions import CohortError

__all__ = ["TUMOUR_TYPES", "is_diagnostic", "patient_of", "sample_type", "site_code", "tcga_patient"]

BARCODE = re.compile(r"TCGA-([A-Z0-9]{2})-[A-Z0-9]{4}(?:-(\d{2})[A-Z0-9.-]*)?", re.IGNORECASE)

# Primary solid tumour, metastasis, recurrence, then the rarer kinds; no normal tissue.
TUMOUR_TYPES = ("01", "06", "02", "05", "03", "04", "07", "08", "09")


def tcga_patient(barcode: str) -> str:
    """Patient of a barcode: its first 12 characters.

    Parameters
    ----------
    barcode : str
        Such as ``"TCGA-BH-A0B3"``, or longer.

    Returns
    -------
    patient : str

    Raises
    ------
    CohortError
        If ``barcode`` does not begin like a TCGA barcode.
    """
    _match(barcode)
    return barcode[:12]


def site_code(barcode: str) -> str:
    """Code of the tissue source site of a barcode: characters 6 and 7.

    Parameters
    ----------
    barcode : str
        Such as ``"TCGA-BH-A0B3"``, or longer.

    Raises
    ------
    CohortError
        If ``barcode`` does not begin like a TCGA barcode.
    """
    return _match(barcode).group(1)


def sample_type(barcode: str) -> str | None:
    """Sample type of a barcode such as ``"01"``; None where the name does not tell."""
    found = BARCODE.match(barcode)
    return found.group(2) if found else None


def patient_of(name: str, known: Collection[str]) -> str | None:
    """Patient that a row or file is named after, in full or by its barcode; None if unknown."""
    if name in known:
        return name
    if BARCODE.match(name) and tcga_patient(name) in known:
        return tcga_patient(name)
    return None


def is_diagnostic(slide: str) -> bool:
    """Whether a slide's barcode marks it as diagnostic (formalin fixed), not a frozen section."""
    return re.search(r"-DX[A-Z0-9]*(\.|$)", slide, re.IGNORECASE) is not None


def _match(barcode: str) -> re.Match[str]:
    found = BARCODE.match(barcode)
    if found is None:
        raise CohortError(f"{barcode!r} is no TCGA barcode, which begins like TCGA-2F-A9KO.")
    return found
