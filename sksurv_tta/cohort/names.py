"""Which patient a file or a row is named after."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sksurv_tta.cohort.barcodes import patient_of
from sksurv_tta.cohort.findings import Findings
from sksurv_tta.exceptions import listing

__all__ = ["MATCHES", "PatientNames"]

#: By the whole name (or TCGA barcode), or by what it begins with.
MATCHES = ("exact", "prefix")


@dataclass(frozen=True)
class PatientNames:
    """The patients of a cohort, by whose ids files and rows are named.

    Attributes
    ----------
    known : collection of str
        Patient ids.
    by_prefix : bool
        Whether ``P-017_HE_2`` belongs to patient ``P-017``: the id, then anything that does not begin with
        a letter or a digit.
    """

    known: Collection[str]
    by_prefix: bool = False

    def patient_of(self, name: str) -> str | None:
        """Patient that ``name`` belongs to; None if there is none, or more than one.

        Parameters
        ----------
        name : str
            Of a file without ending, or the label of a row.
        """
        patient = patient_of(name, self.known)
        if patient is not None or not self.by_prefix:
            return patient
        owners = self._beginnings(name)
        return owners[0] if len(owners) == 1 else None

    def report_ambiguous(self, names: Iterable[str], what: str, findings: Findings) -> None:
        """Refuse names that begin with the ids of several patients, such as P-1 and P-1-2.

        Parameters
        ----------
        names : iterable of str
        what : str
            What bears these names.
        findings : Findings
        """
        if not self.by_prefix:
            return
        several = {
            name: owners
            for name in names
            if patient_of(name, self.known) is None and len(owners := self._beginnings(name)) > 1
        }
        if several:
            shown = listing(f"{name} ({' or '.join(owners)})" for name, owners in several.items())
            findings.problems.append(
                f"{len(several)} {what} begin with the ids of several patients: {shown}. Rename them, or "
                "name them in full."
            )

    def hint(self, names: Iterable[str]) -> str:
        """A sentence for an error, if names that match nobody begin with the id of a patient.

        Parameters
        ----------
        names : iterable of str
        """
        owners = {name: found[-1] for name in names if (found := self._beginnings(name))}
        if self.by_prefix or not owners:
            return ""
        name, patient = next(iter(owners.items()))
        return (
            f" {len(owners)} of them begin with the id of a patient ({name}: {patient}). If they belong to "
            "that patient, pass match='prefix'."
        )

    def _beginnings(self, name: str) -> list[str]:
        """Patients whose id stands at the beginning of a name, followed by no letter or digit."""
        ends = (place.start() for place in re.finditer(r"[^0-9A-Za-z]", name))
        return [name[:end] for end in ends if name[:end] in self.known]
