"""Protocol files: those that ship, and a user's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from ..whole_files import plain_file
from .experiment import Protocol
from .strict import ProtocolError, convert, nearest

MOST_DOTS = 200
"""In one key: what leads deeper would fill memory before it is found to be no protocol."""


def shipped_folder() -> Path:
    """Where the protocol files that come with tlbench lie: in the installed package, or in the repository."""
    package = Path(__file__).parent.parent
    return next(f for f in (package / "experiments", package.parent / "experiments") if f.is_dir())


def shipped() -> dict[str, Path]:
    """The protocol files that come with tlbench, by name."""
    return {path.stem: path for path in sorted(shipped_folder().glob("*.toml"))}


def read(reference: str) -> Protocol:
    """The protocol of a shipped experiment's name, or of a path to a TOML file.

    Raises ProtocolError for an unknown name (with the nearest known one), a file that cannot be read, or content that
    does not fit.
    """
    known = shipped()
    if reference in known:
        path = known[reference]
    elif reference.endswith(".toml") or "/" in reference:
        path = Path(reference)
    else:
        raise ProtocolError(f"there is no experiment '{reference}'; {nearest(reference, list(known))}")
    try:
        text = plain_file(path).read_text(encoding="utf-8-sig")  # an editor's mark at the start is no key
        if any(part.count(".") > MOST_DOTS for part in re.split(r"[\n,=\[\]{}#]", text)):
            raise RecursionError
        content = tomllib.loads(text)
    except FileNotFoundError:
        raise ProtocolError(f"there is no protocol file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(f"protocol file {path} cannot be read ({error})") from None
    except ValueError as error:  # TOML's own, and Python's on numbers without end
        raise ProtocolError(f"protocol file {path} is not TOML: {error}") from None
    except RecursionError:
        raise ProtocolError(f"protocol file {path} holds tables within tables too deep to be read") from None
    declared = parse(content, str(path))
    declared.__dict__["folder_read_from"] = path.parent
    if reference not in known and declared.name in known and declared != read(declared.name):
        raise ProtocolError(
            f"protocol file {path} differs from the shipped '{declared.name}' but bears its name and would overwrite "
            "its results; give it a name of its own"
        )
    return declared


def with_methods(declared: Protocol, methods: Sequence[str]) -> Protocol:
    """The protocol with more methods of a user's own."""
    joined = structs.replace(declared, methods=list(dict.fromkeys([*declared.methods, *methods])))
    joined.__dict__.update(declared.__dict__)
    return joined


def parse(content: object, origin: str) -> Protocol:
    """A protocol from plain data; ``origin`` names it in errors."""
    return convert(content, Protocol, origin)
