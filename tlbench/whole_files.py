"""Files that appear whole or not at all: written beside their place and renamed.

The temporary name tells the machine and the process, so that what one that was killed left behind can be swept up.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def temporary_name(purpose: str) -> str:
    """A name that ``is_abandoned`` understands, once this process is gone."""
    return f".{platform.node()}.{os.getpid()}.{purpose}.tmp"


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its place when the block ends well. Raises OSError where the disk refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / temporary_name(secrets.token_hex(4))
    try:  # from before there is a file: an interruption comes at any moment
        with temporary.open("xb") as file:
            yield file
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sweep(folder: Path) -> None:
    """Remove the temporary files below a folder whose processes are gone."""
    for path in folder.rglob(".*.tmp"):
        if is_abandoned(path):
            path.unlink(missing_ok=True)


def plain_file(path: Path) -> Path:
    """The path, to be opened. Raises OSError where a pipe lies, which would be waited for, or an endless device."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "this is no plain file", str(path))
    return path


def is_abandoned(temporary: Path) -> bool:
    """Whether a temporary file belongs to a process of this machine that is gone."""
    owner = re.fullmatch(rf"\.{re.escape(platform.node())}\.(\d+)\..*\.tmp", temporary.name)
    if owner is None:
        return False
    try:
        os.kill(int(owner[1]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    with contextlib.suppress(OSError):  # a process that was killed keeps its number until its parent has noticed
        return Path(f"/proc/{owner[1]}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    return False
