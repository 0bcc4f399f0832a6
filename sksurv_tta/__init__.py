"""Survival prediction from whole-slide images and gene expression."""

from sksurv_tta._version import __version__

__all__ = ["__version__"]
