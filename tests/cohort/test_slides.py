import numpy as np
import pytest

from sksurv_tta.bags import write_checksums, write_store
from sksurv_tta.cohort import TUMOUR_TYPES, tcga_patient
from sksurv_tta.cohort.barcodes import is_diagnostic, sample_type, site_code
from sksurv_tta.exceptions import CohortError, CohortWarning

from .conftest import PATIENTS, write_slide

BARCODES = [f"TCGA-2F-A9K{i}" for i in range(6)]


def read_sizes(study, **changes):
    """Instances of each patient, 0 where missing."""
    return study.read(expression=None, **changes).X["wsi"].array.n_instances.tolist()


def test_files_named_after_patients_are_theirs(study):
    assert read_sizes(study) == [2, 3, 4, 5, 6, 7]


def test_listed_slides_are_put_together_in_order(study):
    study.clinical["slide_ids"] = ["A-02.svs;A-01.svs", "", "B-01", "B-02.tiff", "C-01", "C-02"]
    with pytest.warns(CohortWarning, match=r"\(without slides\): A-02"):
        cohort = study.read(expression=None, missing="drop")
    assert cohort.X["wsi"].iloc[0].slide_names == ("A-02", "A-01")
    assert cohort.X["wsi"].iloc[0].slide_sizes == (3, 2)


def test_names_are_cut_by_endings_and_not_by_letters(study):
    write_slide(study.bags, "vitals", n_instances=9)
    study.clinical["slide_id"] = ["vitals.svs", *PATIENTS[1:]]
    assert read_sizes(study) == [9, 3, 4, 5, 6, 7]


def test_a_lost_slide_of_a_patient_with_others_is_a_problem_unless_allowed(study):
    study.clinical["slide_ids"] = ["A-01;A-01b", *PATIENTS[1:]]
    with pytest.raises(
        CohortError, match=r"1 slides have no feature file .*A-01b \(A-01\). Pass missing='allow'"
    ):
        study.read()
    with pytest.warns(CohortWarning, match=r"A-01b \(A-01\)\. The others are used"):
        assert read_sizes(study, missing="allow") == [2, 3, 4, 5, 6, 7]


def test_files_named_after_patients_are_used_if_the_listed_slides_are_others(study):
    study.clinical["slide_id"] = [f"scan-{i}" for i in range(6)]
    assert read_sizes(study) == [2, 3, 4, 5, 6, 7]


def test_barcodes_lead_to_patients_preferring_diagnostic_slides_without_normal_tissue(study):
    study.clinical["case_id"] = BARCODES
    bags = study.folder / "tcga"
    names = [f"{patient}-01Z-00-DX1.1A2B-C.D" for patient in BARCODES]
    for name in (
        *names,
        f"{BARCODES[0]}-01Z-00-DX2.77",
        f"{BARCODES[0]}-01A-01-TS1.9",
        f"{BARCODES[1]}-11A-01-TS1.9",
    ):
        write_slide(bags, name, n_instances=2)
    cohort = study.read(expression=None, bags=bags)
    assert [bag.n_instances for bag in cohort.X["wsi"]] == [4, 2, 2, 2, 2, 2]
    assert cohort.left_aside == {"feature files of other patients": 2}


def test_frozen_sections_are_used_where_there_is_nothing_else(study):
    study.clinical["case_id"] = BARCODES
    bags = study.folder / "tcga"
    for patient in BARCODES:
        write_slide(bags, f"{patient}-01A-01-TS1.9")
    assert read_sizes(study, bags=bags) == [4] * 6


def test_several_folders_are_searched(study):
    write_slide(study.folder / "more", "B-02", n_instances=11)
    (study.bags / "B-02.h5").unlink()
    assert read_sizes(study, bags=[study.bags, study.folder / "more"]) == [2, 3, 4, 11, 6, 7]


def test_a_slide_in_two_folders_is_refused(study):
    write_slide(study.folder / "more", "B-02")
    with pytest.raises(CohortError, match="Two files for slide B-02"):
        study.read(bags=[study.bags, study.folder / "more"])


def pack(path, ids, sizes, **more):
    features = np.arange(3 * sum(sizes), dtype=np.float16).reshape(-1, 3)
    np.savez(path, X=features, case_id=np.array(ids), case_ptr=np.cumsum([0, *sizes]), **more)
    return path


def test_a_packed_file_is_joined_by_id(study):
    path = pack(study.folder / "bags.npz", [*reversed(PATIENTS), "Z-9"], [1, 2, 3, 4, 5, 6, 7])
    cohort = study.read(bags=path)
    assert cohort.X["wsi"].array.n_instances.tolist() == [6, 5, 4, 3, 2, 1]
    assert cohort.left_aside == {"bags of other patients": 1}
    np.testing.assert_array_equal(cohort.X["wsi"].iloc[-1].features, [[0, 1, 2]])


def test_patients_without_rows_in_a_packed_file_are_missing(study):
    path = pack(study.folder / "bags.npz", PATIENTS[:5], [1, 0, 1, 1, 1])
    with pytest.raises(CohortError, match="2 of 6 patients have no slides: A-02, C-02"):
        study.read(bags=path)
    assert study.read(bags=path, missing="allow").X["wsi"].isna().tolist() == [
        False,
        True,
        False,
        False,
        False,
        True,
    ]


def test_a_packed_store_is_joined_by_id(study):
    bags = study.read().X["wsi"].array
    write_store(study.folder / "store", PATIENTS, bags, dtype="float32")
    cohort = study.read(bags=study.folder / "store")
    for ours, theirs in zip(cohort.X["wsi"], bags, strict=True):
        np.testing.assert_array_equal(ours.features, theirs.features)


def test_a_file_packed_by_slide_is_joined_by_the_listed_slides(study):
    study.clinical["slide_id"] = [f"scan-{i}.svs" for i in range(6)]
    path = pack(study.folder / "bags.npz", [f"scan-{i}" for i in range(6)], [1, 2, 3, 4, 5, 6])
    assert read_sizes(study, bags=path) == [1, 2, 3, 4, 5, 6]


def test_two_packed_bags_of_a_patient_are_refused(study):
    study.clinical["case_id"] = BARCODES
    path = pack(
        study.folder / "bags.npz", [f"{BARCODES[0]}-DX1", f"{BARCODES[0]}-DX2", *BARCODES[1:]], [1] * 7
    )
    with pytest.raises(CohortError, match=r"already has one: TCGA-2F-A9K0-DX2 \(TCGA-2F-A9K0\). Pack all"):
        study.read(bags=path, expression=None)


def test_names_without_a_match_are_shown_side_by_side(study):
    study.clinical["case_id"] = study.expression.index = [f"P{i}" for i in range(6)]
    with pytest.raises(CohortError, match=r"None of 6 bags \(A-01, A-02.* belongs to a patient .* \(P0, P1"):
        study.read()
    path = pack(study.folder / "bags.npz", PATIENTS, [1] * 6)
    with pytest.raises(CohortError, match=r"None of 6 bags \(A-01"):
        study.read(bags=path)


def test_files_with_a_suffix_are_joined_when_asked_for(study):
    for patient in PATIENTS:
        (study.bags / f"{patient}.h5").rename(study.bags / f"{patient}_HE_1.h5")
    write_slide(study.bags, "A-02_HE_2", n_instances=9)
    with pytest.raises(CohortError, match=r"7 of them begin .* \(A-01_HE_1: A-01\).* column slide_ids"):
        study.read(expression=None)
    bags = study.read(expression=None, match="prefix").X["wsi"].array
    assert bags.n_instances.tolist() == [2, 3 + 9, 4, 5, 6, 7]
    study.clinical.loc[5, "case_id"] = "A"
    with pytest.raises(CohortError, match=r"3 feature files begin .* A-01_HE_1 \(A or A-01\)"):
        study.read(expression=None, match="prefix")


def test_damaged_files_are_problems_of_the_cohort(study):
    (study.bags / "B-01.h5").write_bytes(b"no hdf5")
    study.clinical.loc[0, "days"] = -1
    with pytest.raises(CohortError, match=r"2 problems(.|\n)*B-01"):
        study.read()


@pytest.mark.parametrize("content", ["empty folder", "nothing", "no list"])
def test_places_without_bags_are_refused(study, content):
    empty = study.folder / "empty"
    if content == "empty folder":
        empty.mkdir()
    with pytest.raises(CohortError, match="empty"):
        study.read(bags=[] if content == "no list" else empty)


def test_barcodes_say_patient_site_and_sample_type():
    barcode = "TCGA-2F-A9KO-01Z-00-DX1.195576CF-B739"
    assert tcga_patient(barcode) == "TCGA-2F-A9KO"
    assert site_code(barcode) == "2F"
    assert sample_type(barcode) == "01"
    assert sample_type("TCGA-2F-A9KO") is None
    assert sample_type("A-01") is None
    assert is_diagnostic(barcode)
    assert not is_diagnostic("TCGA-2F-A9KO-01A-01-TS1.9")
    assert "11" not in TUMOUR_TYPES


@pytest.mark.parametrize("function", [tcga_patient, site_code])
@pytest.mark.parametrize("name", ["SIM-AB-0001", "TCGA", "", "TCGA-2F"])
def test_other_names_are_no_barcodes(function, name):
    with pytest.raises(CohortError, match="is no TCGA barcode"):
        function(name)


def test_a_copy_under_another_name_is_refused_with_both_patients(study):
    (study.bags / "B-02.h5").write_bytes((study.bags / "A-01.h5").read_bytes())
    with pytest.raises(CohortError, match=r"same content: A-01\.h5 \(A-01\), B-02\.h5 \(B-02\)\. Remove"):
        study.read()


def test_links_out_of_the_folder_need_that_folder_too(study):
    elsewhere = study.folder / "elsewhere"
    elsewhere.mkdir()
    (study.bags / "B-02.h5").rename(elsewhere / "B-02.h5")
    (study.bags / "B-02.h5").symlink_to(elsewhere / "B-02.h5")
    with pytest.raises(
        CohortError, match=r"1 files are links that lead out of the folder: B-02\.h5 \(to .*elsew"
    ):
        study.read()
    assert read_sizes(study, bags=[study.bags, elsewhere]) == [2, 3, 4, 5, 6, 7]


def test_a_folder_may_itself_be_a_link(study):
    (study.folder / "link").symlink_to(study.bags)
    assert read_sizes(study, bags=study.folder / "link") == [2, 3, 4, 5, 6, 7]


def test_checksums_are_compared_when_asked(study):
    with pytest.raises(CohortError, match=r"SHA256SUMS: no such file"):
        study.read(verify="sha256")
    write_checksums(study.bags)
    assert read_sizes(study, verify="sha256") == [2, 3, 4, 5, 6, 7]
    content = bytearray((study.bags / "C-01.h5").read_bytes())
    content[-1] ^= 1
    (study.bags / "C-01.h5").write_bytes(content)
    with pytest.raises(CohortError, match=r"patient C-01: .*C-01\.h5: is not the file whose checksum"):
        study.read(verify="sha256")
