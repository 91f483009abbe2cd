"""A Dask cluster in the place of this machine's processes: the address of its scheduler is all that is needed."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..studies import MissingPartError
from .errors import ClusterError

if TYPE_CHECKING:
    from .connecting import Cluster

__all__ = ["ClusterError", "connect"]


def connect(where: str, say: Callable[[str], None], device: str = "cpu") -> Cluster:
    """The cluster whose scheduler has that address (``tcp://HOST:PORT``), or wrote that file; a context manager.

    say: is told, in a sentence, which workers are refused and what is waited for. device: where blocks are computed;
    for all but the processor a worker has to offer the resource ``GPU``.

    Raises MissingPartError where Dask is not installed, and ClusterError where ``where`` is neither.
    """
    if find_spec("distributed") is None:
        raise MissingPartError(
            "--cluster needs distributed, not installed here; to have it: pip install 'tlbench[dask]'"
        )
    from .connecting import Cluster

    return Cluster(where, say, device)
