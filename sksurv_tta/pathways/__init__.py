"""Pathway sets: read from a file, matched with the genes of a table by name."""

from sksurv_tta.pathways.matching import PathwaySets, align_pathways
from sksurv_tta.pathways.reading import read_gmt

__all__ = ["PathwaySets", "align_pathways", "read_gmt"]
