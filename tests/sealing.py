"""Tables that a test edits on purpose, sealed again, so that what is judged is what they say."""

from __future__ import annotations

import json
from pathlib import Path

from tlbench.manifest import NAME, seal, write_manifest
from tlbench.records import Records


def seal_again(folder: Path) -> None:
    """Write the seals of the tables as they lie into the manifest of a run."""
    manifest = json.loads((folder / NAME).read_bytes())
    names = {*manifest.get("seals", {}), *(f"{name}.csv" for name in manifest["text"]), "summary.csv", "claims.csv"}
    manifest["seals"] = {name: seal((folder / name).read_bytes()) for name in names if (folder / name).is_file()}
    write_manifest(Records(folder), manifest)
