"""What becomes of bags that cannot be used: they are refused, or they are set to missing and all named."""

from __future__ import annotations

from collections.abc import Sequence

from sksurv_tta.bags import BagArray
from sksurv_tta.bags.opening import Entry
from sksurv_tta.bags.usable import Failures, keep_readable, open_usable
from sksurv_tta.cohort.findings import Findings

__all__ = ["ON_BAD_BAG", "BadBags"]

ON_BAD_BAG = ("raise", "drop")


class BadBags:
    """Opens the bags of patients and remembers those that were set to missing.

    Parameters
    ----------
    patients : sequence of str
    on_bad_bag : {"raise", "drop"}
        "raise": headers are read, and damaged files are refused; values are read by ``fit``. "drop": every
        bag is read now, as nothing else tells whether it can be used; ``fit`` does not read it again.
    """

    def __init__(self, patients: Sequence[str], on_bad_bag: str = "raise"):
        self.patients = patients
        self.drops = on_bad_bag == "drop"
        self._failures: Failures = {}

    def open(self, paths: Sequence[Entry], *, key: str | None, verify: str) -> BagArray:
        """Column of the patients' files; parameters as for :meth:`sksurv_tta.bags.BagArray.from_files`.

        Raises
        ------
        BagFileError
            If files cannot be used, unless their bags are set to missing.
        """
        if not self.drops:
            return BagArray.from_files(paths, key=key, ids=self.patients, verify=verify)
        column, self._failures = open_usable(paths, self.patients, key=key, verify=verify)
        return column

    def settle(self, column: BagArray, *, missing: str, findings: Findings) -> BagArray:
        """Column in which bags with values that cannot be used are missing too; all are told at once.

        Parameters
        ----------
        column : BagArray
            Of the patients.
        missing : {"error", "allow", "drop"}
            With "error" patients without a bag are refused, so the reasons belong to the refusal.
        findings : Findings
            Takes a warning or a problem, and the count.
        """
        if not self.drops:
            return column
        readable, unreadable = keep_readable(column, self.patients)
        failures = self._failures | unreadable
        if failures:
            n_bags = len(self._failures) + int((~column.isna()).sum())
            told = findings.problems if missing == "error" else findings.warnings
            told.append(self._explain(failures, n_bags))
            findings.counts["bags that cannot be used"] = len(failures)
        return readable

    def _explain(self, failures: Failures, n_bags: int) -> str:
        """Every patient with file and reason, a line each: who was lost must be on record."""
        lines = []
        for row, failure in sorted(failures.items()):
            patient = self.patients[row]
            lines.append(f"\n  {patient}: {str(failure).removeprefix(f'patient {patient}: ')}")
        return f"{len(failures)} of {n_bags} bags cannot be used and are set to missing:{''.join(lines)}"
