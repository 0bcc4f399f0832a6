"""Find the bag of each patient: in a folder with one file for each slide, or packed by patient."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sksurv_tta.bags import BagArray, is_store, open_store, read_bag_folder, read_packed
from sksurv_tta.bags.inspection import find_copies
from sksurv_tta.cohort.bad_bags import BadBags
from sksurv_tta.cohort.barcodes import TUMOUR_TYPES, is_diagnostic, sample_type
from sksurv_tta.cohort.findings import Findings
from sksurv_tta.cohort.names import PatientNames
from sksurv_tta.exceptions import BagFileError, listing

__all__ = ["BagSource", "find_roots", "read_bags"]

Slides = Mapping[str, Sequence[str]]
BagSource = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

# Endings that clinical tables leave on a slide's name; cut as a whole, because names end in letters too.
SLIDE_ENDINGS = re.compile(r"\.(svs|tiff?|ndpi|mrxs|scn|vms|bif|dcm|h5|hdf5|pt|npy|npz)$", re.IGNORECASE)


def read_bags(
    source: BagSource,
    patients: Sequence[str],
    *,
    names: PatientNames,
    slides: Slides | None,
    key: str | None,
    missing: str,
    findings: Findings,
    verify: str = "size",
    on_bad_bag: str = "raise",
) -> BagArray | None:
    """Bags of the patients, (n_patients,), missing where there is no slide; None if they cannot be used.

    Parameters
    ----------
    source : path-like, or list of them
        A folder of feature files (or several), a packed store, or a packed ``.npz``.
    patients : sequence of str
        Patient ids.
    names : PatientNames
        Says which patient a file is named after.
    slides : dict of str to list of str, or None
        Slides of each patient, if the outcomes table names them. Otherwise the files' own names say whose
        they are.
    key : str or None
        Name of the features within a file, if it is an unusual one.
    missing : {"error", "allow", "drop"}
        Whether a patient may be represented by some of the listed slides only.
    findings : Findings
        Takes problems, warnings and counts.
    verify : {"size", "sha256"}
        What is compared before features are read.
    on_bad_bag : {"raise", "drop"}
        Whether a bag that cannot be used is a problem or a missing bag.
    """
    roots = find_roots(source, findings)
    if not roots:
        return None
    bad = BadBags(patients, on_bad_bag)
    try:
        if len(roots) == 1 and (roots[0].is_file() or is_store(roots[0])):
            column = _from_packed(roots[0], patients, names, slides, findings, verify)
        else:
            paths = _from_folders(roots, patients, names, slides, missing, findings)
            column = None if paths is None else bad.open(paths, key=key, verify=verify)
    except BagFileError as error:
        findings.problems.append(str(error))
        return None
    return None if column is None else bad.settle(column, missing=missing, findings=findings)


def find_roots(source: BagSource, findings: Findings) -> list[Path]:
    """Folders or files of ``bags``; none, and a problem, if one does not exist."""
    roots = [Path(source)] if isinstance(source, str | os.PathLike) else [Path(root) for root in source]
    absent = [str(root) for root in roots if not root.exists()]
    if not roots:
        findings.problems.append("bags is an empty list.")
    if absent:
        findings.problems.append(f"There is no folder or file {listing(absent)} (bags).")
        return []
    return roots


def _from_packed(
    path: Path,
    patients: Sequence[str],
    names: PatientNames,
    slides: Slides | None,
    findings: Findings,
    verify: str,
) -> BagArray | None:
    ids, bags = read_packed(path, verify=verify) if path.is_file() else open_store(path, verify=verify)
    labels = [str(label) for label in ids]
    names.report_ambiguous(labels, f"bags of {path}", findings)
    owner = _owners(labels, names, slides)
    place = {patient: number for number, patient in reversed(list(enumerate(owner))) if patient is not None}
    repeated = [
        f"{label} ({patient})"
        for number, (label, patient) in enumerate(zip(labels, owner, strict=True))
        if patient is not None and place[patient] != number
    ]
    if repeated:
        findings.problems.append(
            f"{len(repeated)} bags of {path} belong to a patient who already has one: {listing(repeated)}. "
            "Pack all slides of a patient into one bag."
        )
    if not place:
        findings.problems.append(_explain_no_match(labels, patients, names))
        return None
    findings.counts["bags of other patients"] = owner.count(None)
    return bags.take([place.get(patient, -1) for patient in patients], allow_fill=True)


def _owners(labels: Sequence[str], names: PatientNames, slides: Slides | None) -> list[str | None]:
    """Patient of each bag: named by the patient, or by a slide that the outcomes table lists."""
    listed = {_slide_name(slide): patient for patient, own in (slides or {}).items() for slide in own}
    return [listed.get(label) or names.patient_of(label) for label in labels]


def _from_folders(
    roots: Sequence[Path],
    patients: Sequence[str],
    names: PatientNames,
    slides: Slides | None,
    missing: str,
    findings: Findings,
) -> list[list[str] | None] | None:
    """Files of each patient, None where there is none; nothing if nobody has any."""
    files = _list_files(roots, findings)
    wanted = {patient: [_slide_name(slide) for slide in own] for patient, own in (slides or {}).items()}
    if not any(slide in files for own in wanted.values() for slide in own):
        # No table of slides, or one that speaks of other files: go by the files' own names.
        names.report_ambiguous(files, "feature files", findings)
        wanted = _slides_by_name(files, names)
    found = {
        patient: [files[slide] for slide in wanted.get(patient, []) if slide in files] for patient in patients
    }
    used = sum(map(len, found.values()))
    if not used:
        findings.problems.append(_explain_no_match(list(files), patients, names))
        return None
    findings.counts["feature files of other patients"] = len(files) - used
    _report_lost_slides(wanted, files, found, missing, findings)
    _report_copies(found, findings)
    return [found[patient] or None for patient in patients]


def _report_copies(found: Slides, findings: Findings) -> None:
    """Refuse files of one content under the names of several patients: a leak from training to test."""
    owners = {path: patient for patient, paths in found.items() for path in paths}
    groups = find_copies({path: owner for path, owner in owners.items() if os.path.isfile(path)})
    if groups:
        shown = listing(
            (", ".join(f"{Path(path).name} ({owners[path]})" for path in group) for group in groups), 5
        )
        findings.problems.append(
            f"Files of different patients have the same content: {shown}. Remove the wrong ones: who is "
            "trained on must not stand in the test set under another name."
        )


def _list_files(roots: Sequence[Path], findings: Findings) -> dict[str, str]:
    files: dict[str, str] = {}
    for root in roots:
        for slide, path in read_bag_folder(root, within=roots).items():
            if slide in files and os.path.samefile(files[slide], path):
                continue  # a link to a file that another of the folders holds
            if slide in files:
                findings.problems.append(f"Two files for slide {slide}: {files[slide]} and {path}.")
            files[slide] = str(path)
    return files


def _slide_name(slide: str) -> str:
    return SLIDE_ENDINGS.sub("", slide)


def _slides_by_name(files: Collection[str], names: PatientNames) -> dict[str, list[str]]:
    own: dict[str, list[str]] = {}
    for slide in sorted(files):
        patient = names.patient_of(slide)
        if patient is not None and sample_type(slide) in (None, *TUMOUR_TYPES):
            own.setdefault(patient, []).append(slide)
    # Frozen sections look different; they only count where there is no diagnostic slide.
    return {patient: list(filter(is_diagnostic, slides)) or slides for patient, slides in own.items()}


def _report_lost_slides(
    wanted: Slides, files: Collection[str], found: Slides, missing: str, findings: Findings
) -> None:
    """Report listed slides without a file, of patients with others: a part is not the patient."""
    lost = [
        f"{slide} ({patient})"
        for patient, own in wanted.items()
        if found.get(patient)
        for slide in own
        if slide not in files
    ]
    if not lost:
        return
    message = (
        f"{len(lost)} slides have no feature file though other slides of their patients do: {listing(lost)}."
    )
    if missing == "error":
        findings.problems.append(f"{message} Pass missing='allow' to use the others.")
    else:
        findings.warnings.append(f"{message} The others are used.")


def _explain_no_match(labels: Sequence[str], patients: Sequence[str], names: PatientNames) -> str:
    return (
        f"None of {len(labels)} bags ({listing(labels, 3) or 'the folder holds no feature file'}) belongs to "
        f"a patient of the outcomes table ({listing(patients, 3)}).{names.hint(labels)} Or list "
        "the files of each patient in a column slide_ids of that table."
    )
