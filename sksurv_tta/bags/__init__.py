"""Bags of instances: one patient's slides as one value, many patients as a pandas column, and their files."""

from sksurv_tta.bags.array import BagArray, BagDtype
from sksurv_tta.bags.bag import Bag, infer_patch_size, read_bag
from sksurv_tta.bags.checksums import read_checksums, write_checksums
from sksurv_tta.bags.folders import read_bag_folder
from sksurv_tta.bags.packed import is_packed, is_store
from sksurv_tta.bags.readers import SlideHeader, read_header
from sksurv_tta.bags.slide_files import slide_id
from sksurv_tta.bags.store import open_store, read_packed, write_store

__all__ = [
    "Bag",
    "BagArray",
    "BagDtype",
    "SlideHeader",
    "infer_patch_size",
    "is_packed",
    "is_store",
    "open_store",
    "read_bag",
    "read_bag_folder",
    "read_checksums",
    "read_header",
    "read_packed",
    "slide_id",
    "write_checksums",
    "write_store",
]
