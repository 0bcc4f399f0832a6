"""Tensors and one JSON document in one safetensors file, read as if a stranger had written it.

The document is the only entry of the file's metadata. It holds a sha256 over itself and over
all tensors: the format has no checksum of its own, and a flipped bit would load silently.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

__all__ = ["Layout", "TensorFile", "UnreadableFileError", "digest", "open_file", "pack", "storable"]

KEY = "sksurv_tta"
# The longest honest document is that of a model with a large collection of pathways: a million
# memberships (four times the largest public collection of curated sets) take 7 MB.
MAX_DOCUMENT_BYTES = 16 * 2**20
MAX_HEADER_BYTES = 40 * 2**20  # the document with every quote escaped, and the list of tensors
MAX_DEPTH = 8
MAX_INTEGER = 2**53
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "I64": torch.int64,
    "BOOL": torch.bool,
}
INFINITIES = {"Infinity": math.inf, "-Infinity": -math.inf}

#: Data type and shape of each tensor by name.
Layout = dict[str, tuple[torch.dtype, tuple[int, ...]]]


class UnreadableFileError(ValueError):
    """What is wrong with a file; whoever opened it says what to do about that."""


def storable(value: Any) -> Any:
    """Return a JSON value for a number, string, None, or a list or mapping of such.

    NaN becomes None and an infinity its name. NumPy's scalars become Python's.

    Raises
    ------
    TypeError
        For anything else; names its type.
    """
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: storable(item) for key, item in value.items()}
    raise TypeError(f"a value of type {type(value).__name__} cannot be stored")


def digest(content: Any, tensors: Mapping[str, Tensor]) -> str:
    """Sha256, in hexadecimal, over a JSON value and over names, types, shapes and bytes of tensors."""
    total = hashlib.sha256(_dump(content))
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(_dump([name, str(tensor.dtype), list(tensor.shape)]))
        total.update(np.ascontiguousarray(tensor.numpy()).data)
    return total.hexdigest()


def _dump(content: Any, *, sort_keys: bool = True) -> bytes:
    return json.dumps(content, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False).encode()


def pack(content: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """Bytes of a file with a document and tensors: equal content gives equal bytes.

    Parameters
    ----------
    content : mapping
        Of JSON values, see :func:`storable`.
    tensors : mapping of str to Tensor
        Float32, float64, int64 or bool.

    Raises
    ------
    ValueError
        If the document is larger than :func:`open_file` would read.
    """
    # A copy of each: the format refuses tensors that share memory.
    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    foreign = sorted({str(t.dtype) for t in own.values()} - {str(dtype) for dtype in DTYPES.values()})
    if foreign:
        raise ValueError(f"Tensors of type {', '.join(foreign)} cannot be stored.")
    # In the order given: that of a history's entries becomes that of its columns.
    document = _dump({"content": content, "sha256": digest(content, own)}, sort_keys=False)
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ValueError(
            f"What describes the model takes {len(document):,} bytes; {MAX_DOCUMENT_BYTES:,} are allowed. "
            "Use fewer pathways."
        )
    return safetensors.torch.save(own, {KEY: document.decode()})


@dataclass(frozen=True)
class TensorFile:
    """A file whose header was read and found sound, and whose tensors were not yet read.

    Attributes
    ----------
    path : Path
    content : dict
        The document. Its digest is checked only by :meth:`read`.
    layout : dict
        Type and shape of each tensor, as the header claims.
    """

    path: Path
    content: dict[str, Any]
    layout: Layout
    header: bytes
    sha256: str

    def read(self) -> dict[str, Tensor]:
        """Read the tensors and verify the digest over them and the document.

        Raises
        ------
        UnreadableFileError
        """
        raw = self.path.read_bytes()
        if raw[: len(self.header)] != self.header:
            raise UnreadableFileError("it changed while it was read")
        try:
            tensors = safetensors.torch.load(raw)
        except (SafetensorError, ValueError, TypeError, RuntimeError) as error:
            raise UnreadableFileError(f"its tensors are damaged ({error})") from error
        if digest(self.content, tensors) != self.sha256:
            raise UnreadableFileError("its content does not match its checksum: it was altered or damaged")
        return tensors


def open_file(path: str | os.PathLike[str]) -> TensorFile:
    """Read the header of a file: no tensor is read, nothing is allocated for one.

    Parameters
    ----------
    path : path

    Raises
    ------
    UnreadableFileError
        If this is not a file that :func:`pack` made.
    OSError
        If the file does not exist or cannot be opened.
    """
    path = Path(path)
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableFileError("it is not a regular file")
    raw_header, n_payload = _read_header(path)
    header = _parse(raw_header[8:], MAX_HEADER_BYTES)
    metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or set(metadata) != {KEY} or not isinstance(metadata[KEY], str):
        raise UnreadableFileError("it does not hold what sksurv_tta writes")
    document = _parse(metadata[KEY].encode(errors="replace"), MAX_DOCUMENT_BYTES)
    if not isinstance(document, dict) or set(document) != {"content", "sha256"}:
        raise UnreadableFileError("its description is not one that sksurv_tta writes")
    if not isinstance(document["content"], dict) or not isinstance(document["sha256"], str):
        raise UnreadableFileError("its description is not one that sksurv_tta writes")
    layout = {name: _layout_of(name, entry) for name, entry in header.items()}
    n_claimed = sum(dtype.itemsize * math.prod(shape) for dtype, shape in layout.values())
    if n_claimed != n_payload:
        raise UnreadableFileError(f"its tensors should take {n_claimed:,} bytes and take {n_payload:,}")
    return TensorFile(path, document["content"], layout, raw_header, document["sha256"])


def _read_header(path: Path) -> tuple[bytes, int]:
    """Return length and header as they stand in the file, and how many bytes follow."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = file.read(8)
        n_header = int.from_bytes(length, "little")
        if len(length) < 8 or n_header > size - 8:
            raise UnreadableFileError("it is cut short, or not a safetensors file")
        if n_header > MAX_HEADER_BYTES:
            raise UnreadableFileError(f"its header is longer than {MAX_HEADER_BYTES:,} bytes")
        header = file.read(n_header)
    if len(header) < n_header:
        raise UnreadableFileError("it is cut short")
    return length + header, size - 8 - n_header


def _layout_of(name: str, entry: Any) -> tuple[torch.dtype, tuple[int, ...]]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise UnreadableFileError(f"the entry of tensor {name!r} is malformed")
    shape = entry["shape"]
    if entry["dtype"] not in DTYPES or not isinstance(shape, list) or len(shape) > MAX_DEPTH:
        raise UnreadableFileError(f"tensor {name!r} has an unknown type or shape")
    if not all(type(n) is int and n >= 0 for n in shape):
        raise UnreadableFileError(f"tensor {name!r} has an impossible shape")
    return DTYPES[entry["dtype"]], tuple(shape)


def _parse(text: bytes, limit: int) -> Any:
    """JSON without what Python's reader adds to it, and within limits."""
    if len(text) > limit:
        raise UnreadableFileError(f"its description is longer than {limit:,} bytes")
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_bounded,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except UnreadableFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError(f"its description is not valid JSON ({error})") from error
    _check_depth(value, MAX_DEPTH)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise UnreadableFileError("its description names something twice")
    return dict(pairs)


def _bounded(text: str) -> int:
    if len(text) > len(str(-MAX_INTEGER)) or abs(int(text)) > MAX_INTEGER:
        raise UnreadableFileError("its description holds an integer that is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnreadableFileError(f"its description holds {text}, which is not a finite number")
    return number


def _check_depth(value: Any, left: int) -> None:
    if not isinstance(value, dict | list):
        return
    if not left:
        raise UnreadableFileError(f"its description is nested deeper than {MAX_DEPTH} levels")
    for item in value.values() if isinstance(value, dict) else value:
        _check_depth(item, left - 1)
