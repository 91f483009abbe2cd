"""Disks that are small, read-only or elsewhere, where the tests may mount one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

AMPLE = "size=200m,nr_inodes=100000"


class Disk:
    """A file system in memory."""

    def __init__(self, folder: Path, options: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"no file system can be mounted here ({error})")

    def change(self, options: str) -> None:
        """Give it another size, or make it read-only."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)


@contextmanager
def disk(folder: Path, options: str = AMPLE) -> Iterator[Disk]:
    """A disk in the place of a folder, for as long as it is needed."""
    mounted = Disk(folder, options)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
