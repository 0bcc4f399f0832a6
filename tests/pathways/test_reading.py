import gzip
import json

import pytest

from sksurv_tta.exceptions import PathwayError, PathwayWarning
from sksurv_tta.pathways import read_gmt, reading

EXPECTED = {"HYPOXIA": ["VEGFA", "CA9"], "REPAIR": ["BRCA1", "RAD51"]}
GMT = "HYPOXIA\thttps://example.org\tVEGFA\tCA9\nREPAIR\tna\tBRCA1\tRAD51\n"


def write(path, text):
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize(
    "text",
    [
        GMT,
        GMT.replace("\n", "\r\n"),
        GMT.replace("\n", "\r"),
        "\ufeff" + GMT,
        "# a comment\n\n" + GMT + "\n  \n",
        GMT.replace("na", ""),
        GMT.replace("CA9", "CA9\t\t\t"),
        GMT.replace("CA9", " CA9 \tVEGFA"),
        GMT.rstrip("\n"),
    ],
    ids=["plain", "crlf", "cr", "bom", "comments", "no description", "tabs", "repeated gene", "no last end"],
)
@pytest.mark.parametrize("name", ["sets.gmt", "sets.gmt.gz", "sets.txt"])
def test_gmt_is_read_whatever_its_line_ends_blanks_and_compression(tmp_path, name, text):
    assert read_gmt(write(tmp_path / name, text)) == EXPECTED


def test_msigdb_json_is_read(tmp_path):
    content = {name: {"systematicName": "M1", "geneSymbols": genes} for name, genes in EXPECTED.items()}
    assert read_gmt(write(tmp_path / "sets.json", json.dumps(content))) == EXPECTED


def test_json_of_plain_lists_is_read(tmp_path):
    assert read_gmt(write(tmp_path / "sets.json.gz", json.dumps(EXPECTED))) == EXPECTED


def test_csv_with_a_column_for_each_pathway_is_read(tmp_path):
    text = "HYPOXIA,REPAIR\nVEGFA,BRCA1\nCA9,RAD51\n,RAD51\n"
    assert read_gmt(write(tmp_path / "signatures.csv", text)) == EXPECTED


def test_repeated_names_are_refused_with_their_lines(tmp_path):
    path = write(tmp_path / "sets.gmt", "# header\n" + GMT + "HYPOXIA\tna\tLDHA\n")
    with pytest.raises(PathwayError, match=r"'HYPOXIA' \(line 2, line 4\)"):
        read_gmt(path)


def test_repeated_names_in_json_are_refused(tmp_path):
    path = write(tmp_path / "sets.json", '{"A": ["X"], "A": ["Y"]}')
    with pytest.raises(PathwayError, match=r"'A' \(entry 1, entry 2\)"):
        read_gmt(path)


def test_a_line_without_genes_is_refused(tmp_path):
    path = write(tmp_path / "sets.gmt", GMT + "LONELY\tna\n")
    with pytest.raises(PathwayError, match=r"1 of 3 pathways .* no gene: LONELY \(line 3\)"):
        read_gmt(path)


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_a_file_without_pathways_is_refused(tmp_path, text):
    with pytest.raises(PathwayError, match="holds no pathway"):
        read_gmt(write(tmp_path / "sets.gmt", text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PathwayError, match=r"no pathway file .*nowhere\.gmt"):
        read_gmt(tmp_path / "nowhere.gmt")


@pytest.mark.parametrize("text", ['{"A": 3}', '{"A": {"genes": ["X"]}}', "[1, 2]", "{", "3"])
def test_json_of_another_kind_is_refused(tmp_path, text):
    with pytest.raises(PathwayError, match="no pathway file in JSON"):
        read_gmt(write(tmp_path / "sets.json", text))


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe\x00", gzip.compress(GMT.encode(), mtime=0)[:-12], b"\x1f\x8bnonsense"],
    ids=["not UTF-8", "truncated gzip", "gzip in name only"],
)
def test_what_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "sets.gmt"
    path.write_bytes(content)
    with pytest.raises(PathwayError, match="cannot be read as text"):
        read_gmt(path)


def test_a_small_file_cannot_unpack_into_a_huge_one(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 2**20)
    path = write(tmp_path / "bomb.gmt.gz", "A\tna\t" + "X" * 2**21)
    assert path.stat().st_size < 10_000
    with pytest.raises(PathwayError, match="larger than 1 MB"):
        read_gmt(path)


@pytest.mark.parametrize("mangled", ["2-Sep", "1-Mar", "Dec-01", "2.31E+13"])
def test_names_changed_by_a_spreadsheet_are_reported_with_their_line(tmp_path, mangled):
    path = write(tmp_path / "sets.gmt", GMT + f"SEPTINS\tna\t{mangled}\tSEPTIN7\n")
    with pytest.warns(PathwayWarning, match=rf"1 gene names .* {mangled.replace('+', '.')} \(line 3\)"):
        assert read_gmt(path)["SEPTINS"] == [mangled, "SEPTIN7"]
