"""What can be wrong with a cluster."""

from __future__ import annotations


class ClusterError(Exception):
    """The cluster cannot be used; the message says why and what to do."""


class RefusedError(Exception):
    """A worker must not compute for this run. Arguments: its address, and why."""


class WeightsWantedError(Exception):
    """A worker that does not see the run's folder was sent no weights."""
