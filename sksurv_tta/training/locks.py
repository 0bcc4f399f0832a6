"""Folders that one run has for itself."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sksurv_tta.exceptions import CheckpointInUseError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["locked"]

LOCK_NAME = "lock"
LOCKED_BYTE = 1 << 20  # far behind the text of a lock file, which others must be able to read
MAX_LOCK_BYTES = 4096


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder for oneself inside the block.

    The lock is the operating system's, on a file that names process and host: it ends with the
    process that holds it, however that ends. A file left by a dead process of this host is
    taken over. One left by another host is not: its lock may not be visible from here.

    Parameters
    ----------
    folder : Path
        Must exist.

    Raises
    ------
    CheckpointInUseError
        If another run has the folder; names its process and host.
    OSError
        If the folder cannot be written.
    """
    path = folder / LOCK_NAME
    descriptor = _acquire(path)
    try:
        _claim(descriptor, path)
        yield
    finally:
        # While the lock is held: whoever waits for this very file finds that its name is gone.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(descriptor):
                raise _in_use(path, _read_owner(descriptor))
            owner = _read_owner(descriptor)
            if owner.get("host", socket.gethostname()) != socket.gethostname():
                raise _in_use(path, owner)
            if _is_same_file(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its owner removed it in the meantime: take the new one


def _claim(descriptor: int, path: Path) -> None:
    text = json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.truncate(descriptor, 0)
    if os.write(descriptor, text) < len(text):
        raise OSError(f"{path} could not be written in full: is the disk full?")
    os.fsync(descriptor)


def _lock(descriptor: int) -> bool:
    """Try to lock an open file; False where another has it."""
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _read_owner(descriptor: int) -> dict[str, Any]:
    """Return what the lock file says; nothing where its writer was killed before it wrote."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        owner = json.loads(os.read(descriptor, MAX_LOCK_BYTES))
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _in_use(path: Path, owner: dict[str, Any]) -> CheckpointInUseError:
    pid, host = owner.get("pid", "unknown"), owner.get("host", "unknown")
    return CheckpointInUseError(
        f"{path.parent} is in use by another run: process {pid} on host {host}. Wait for it, or give "
        f"another checkpoint_dir. If you are sure that this process is gone, delete {path}."
    )
