"""Instances read and copied to the device while the device works on the group before."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from sksurv_tta.networks import Ragged
from sksurv_tta.training.instances import HostInstances, Request

__all__ = ["ReadAhead"]


class ReadAhead:
    """One group ahead: a thread fills pinned memory and starts the copy on a stream of its own.

    So two groups are in memory at a time, one in use and one on its way. The step that takes a group
    lets its stream wait for the copy; the host does not wait for the device.

    Parameters
    ----------
    host : HostInstances
    """

    def __init__(self, host: HostInstances):
        self.host = host
        self.stream = torch.cuda.Stream(host.device) if host.pinned else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sksurv_tta-read-ahead")
        self._coming: dict[int, tuple[Request, Future[Ragged]]] = {}  # by modality

    def read(self, request: Request) -> Ragged:
        """Instances (n_rows, n_features), float32, on the device; at once if they were prepared."""
        announced, coming = self._coming.pop(request.modality, (None, None))
        if coming is None or announced is None or announced.key != request.key:
            return self.host.read(request)
        rows = coming.result()  # raises what reading raised
        if self.stream is not None:
            current = torch.cuda.current_stream(self.host.device)
            current.wait_stream(self.stream)
            rows.values.record_stream(current)  # the memory is not given away before this stream is done
        return rows

    def prepare(self, request: Request) -> None:
        """Begin to read what will be asked for next."""
        self._coming[request.modality] = request, self._thread.submit(self._bring, request)

    def close(self) -> None:
        """Forget what nobody asked for, and end the thread."""
        self._coming.clear()
        self._thread.shutdown(cancel_futures=True)

    def _bring(self, request: Request) -> Ragged:
        with torch.cuda.stream(self.stream):  # None: no stream
            return self.host.read(request)
