"""Attributes of an HDF5 object; texts among them are read without the library.

HDF5 keeps texts of variable length in a heap whose blocks it walks without a bound: a block of zeros, which
a copy that stopped half-way leaves behind, keeps it walking for ever, inside C code that nothing can
interrupt. So the few bytes that matter are looked up here, by the published file format, with every length
checked against what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, NamedTuple

import h5py
import numpy as np

__all__ = ["attribute", "positive_number", "read_text"]

MAX_HEADER_BYTES = 2**20
MAX_BLOCKS = 64  # continuations of an object header
MAX_HEAP_BYTES = 2**24
ATTRIBUTE, CONTINUATION = 0x0C, 0x10


class _Message(NamedTuple):
    kind: int
    content: bytes


def attribute(item: h5py.HLObject, name: str) -> Any:
    """Small text or number attribute; None if absent or spelt "None", as TRIDENT writes it."""
    if name not in item.attrs:
        return None
    stored = item.attrs.get_id(name)
    if stored.shape not in {(), (1,)} or stored.dtype.kind not in "iufSO":
        return None
    if stored.dtype.kind == "O":
        value: Any = _text(item, name)
    else:
        value = item.attrs[name]
    value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return None if value is None or value == "None" or isinstance(value, h5py.Empty) else value


def _text(item: h5py.HLObject, name: str) -> str | None:
    """Text of variable length, which the library must not read."""
    if h5py.check_string_dtype(item.attrs.get_id(name).dtype) is None:
        return None
    with open(item.file.filename, "rb") as file:
        return read_text(file, h5py.h5o.get_info(item.id).addr, name, base=item.file.userblock_size)


def positive_number(item: h5py.HLObject, name: str) -> float | None:
    """Positive finite number in an attribute; numbers are sometimes written as text."""
    try:
        value = float(attribute(item, name))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None


def read_text(file: IO[bytes], address: int, name: str, *, base: int = 0) -> str | None:
    """Text attribute of variable length.

    Parameters
    ----------
    file : binary file
        Open for reading.
    address : int
        Of the object's header.
    name : str
        Of the attribute.
    base : int
        Where the HDF5 part of the file begins.

    Returns
    -------
    text : str or None
        None if the object has no such text in its header.

    Raises
    ------
    ValueError
        If header or heap are damaged.
    """
    for message in _messages(file, address, base):
        value = _value_of(message.content, name) if message.kind == ATTRIBUTE else None
        if value is not None and len(value) >= 16:
            length, heap, index = (_number(value, *part) for part in ((0, 4), (4, 8), (12, 4)))
            return _heap_object(file, base + heap, index, length).decode("utf-8", "replace")
    return None


def _number(content: bytes, start: int, width: int) -> int:
    if start + width > len(content):
        raise ValueError("an object header is cut short")
    return int.from_bytes(content[start : start + width], "little")


def _block(file: IO[bytes], start: int, n_bytes: int) -> bytes:
    if not 0 <= n_bytes <= MAX_HEADER_BYTES:
        raise ValueError(f"an object header of {n_bytes:,} bytes")
    file.seek(start)
    block = file.read(n_bytes)
    if len(block) < n_bytes:
        raise ValueError("an object header lies outside the file")
    return block


def _messages(file: IO[bytes], address: int, base: int) -> Iterator[_Message]:
    """Messages of an object header of either version, all its blocks one after another."""
    start = _block(file, base + address, 16)
    newer = start[:4] == b"OHDR"
    if newer:
        blocks, tracked = [_newer_first_block(file, base + address)], bool(start[5] & 0x04)
    elif start[0] == 1:
        blocks, tracked = [_block(file, base + address + 16, _number(start, 8, 4))], False
    else:
        raise ValueError("an object header of an unknown version")
    for count in range(MAX_BLOCKS):
        if count >= len(blocks):
            return
        for message in _newer(blocks[count], tracked) if newer else _older(blocks[count]):
            if message.kind == CONTINUATION:
                place, length = base + _number(message.content, 0, 8), _number(message.content, 8, 8)
                edge = 4 if newer else 0  # signature before, checksum behind
                blocks.append(_block(file, place + edge, length - 2 * edge))
            yield message


def _newer_first_block(file: IO[bytes], address: int) -> bytes:
    flags = _block(file, address, 6)[5]
    start = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 0x03)
    return _block(file, start + width, _number(_block(file, start, width), 0, width))


def _older(block: bytes) -> Iterator[_Message]:
    position = 0
    while position + 8 <= len(block):
        length = _number(block, position + 2, 2)
        yield _Message(_number(block, position, 2), block[position + 8 : position + 8 + length])
        position += 8 + length


def _newer(block: bytes, tracked: bool) -> Iterator[_Message]:
    position, head = 0, 6 if tracked else 4
    while position + head <= len(block):
        length = _number(block, position + 1, 2)
        yield _Message(block[position], block[position + head : position + head + length])
        position += head + length


def _value_of(message: bytes, name: str) -> bytes | None:
    """Bytes of an attribute's value, if it is the one asked for."""
    version = message[0] if message else 0
    sizes = [_number(message, start, 2) for start in (2, 4, 6)]  # of name, type and extent
    if version == 1:
        sizes = [-(-size // 8) * 8 for size in sizes]
    start = 9 if version == 3 else 8
    found = message[start : start + sizes[0]].split(b"\0")[0]
    return message[start + sum(sizes) :] if found == name.encode() else None


def _heap_object(file: IO[bytes], address: int, index: int, length: int) -> bytes:
    head = _block(file, address, 16)
    n_bytes = _number(head, 8, 8)
    if head[:4] != b"GCOL" or n_bytes > MAX_HEAP_BYTES:
        raise ValueError("the heap of its texts is damaged")
    file.seek(address)
    heap = file.read(n_bytes)
    position = 16
    while position + 16 <= len(heap):
        number, size = _number(heap, position, 2), _number(heap, position + 8, 8)
        if number == index and size >= length and position + 16 + length <= len(heap):
            return heap[position + 16 : position + 16 + length]
        if number == 0:
            break
        position += 16 + -(-size // 8) * 8
    raise ValueError("the heap of its texts is damaged")
