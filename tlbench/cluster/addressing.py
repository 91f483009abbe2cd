"""Where a scheduler is, and whether one answers there: asked before a client is made, which would wait and complain."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import msgspec
from distributed.comm.core import connect

from .errors import ClusterError

ADDRESS = re.compile(r"(?:(?:tcp|tls|ws|wss)://)?(?:[\w.-]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")
LIKE = "an address like tcp://HOST:8786, or the file of `dask scheduler --scheduler-file FILE`"
BETWEEN = 0.5
"""Seconds between two attempts."""


class SchedulerFile(msgspec.Struct):
    """What a scheduler's file is read for."""

    address: str


def wait_for_scheduler(where: str, patience: float) -> str:
    """The address at which the scheduler answers, once it does.

    where: its address, or the file that it writes when it starts. Raises ClusterError at once for what can be neither,
    and after so many seconds where nothing answers.
    """
    until = time.monotonic() + patience
    while True:
        address = None
        try:
            address = address_of(where)
            asyncio.run(_greet(address, max(1.0, until - time.monotonic())))
        except FileNotFoundError:
            why = f"{where} is not there; give {LIKE}"
        except (TypeError, ValueError, AssertionError) as error:
            raise ClusterError(f"the scheduler at {address} cannot be asked ({error}); see Dask on TLS") from None
        except OSError:
            named = "" if where in (address or where) else f", which {where} names"
            why = f"no Dask scheduler answers at {address}{named}; start one with `dask scheduler`, and give {LIKE}"
        else:
            return address
        if time.monotonic() > until:
            raise ClusterError(why)
        time.sleep(BETWEEN)


def address_of(where: str) -> str:
    """An address as it is, a file by what it holds now. Raises ClusterError, and FileNotFoundError for no file yet."""
    found = where
    if not _is_address(where):
        if "://" in where or not where:
            raise ClusterError(f"'{where}' is no scheduler's address; give {LIKE}")
        try:
            if not (content := Path(where).read_bytes()):
                raise FileNotFoundError(where)
            found = msgspec.json.decode(content, type=SchedulerFile).address
        except FileNotFoundError:  # the scheduler may be about to write it
            raise
        except OSError as error:
            raise ClusterError(f"{where} cannot be read ({error.strerror or error}); give {LIKE}") from None
        except msgspec.MsgspecError:
            raise ClusterError(f"{where} is no scheduler file; give {LIKE}") from None
        if not _is_address(found):
            raise ClusterError(f"{where} names no scheduler's address; give {LIKE}")
    return found if "://" in found else f"tcp://{found}"


def _is_address(text: str) -> bool:
    match = ADDRESS.fullmatch(text)
    return match is not None and 0 < int(match["port"]) < 65536


async def _greet(address: str, patience: float) -> None:
    """Exchange Dask's greeting. Raises OSError where nobody knows it, or nobody is there."""
    try:
        comm = await asyncio.wait_for(connect(address, timeout=patience), patience + 1)
    except TimeoutError:
        raise OSError("it does not know the greeting") from None
    await comm.close()
