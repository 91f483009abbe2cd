"""What describes a picture is the picture alone: no other one scales, centres or fills its vector.

Of visual words, which are learned from pictures outside the experiment, ``tests/test_opening.py`` says the same.
"""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tlbench import features, opening
from tlbench.datasets import Options

pytestmark = pytest.mark.fault("leakage")


def draw(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    Image.fromarray(np.kron(cells, np.ones((4, 4, 1), dtype=np.uint8))).save(path)


@pytest.mark.parametrize("kind", features.KINDS)
def test_a_picture_changes_no_vector_but_its_own(tmp_path, kind):
    for place, label in enumerate(("heron", "ibis", "background")):
        for number in range(4):
            draw(tmp_path / "birds" / label / f"{number}.png", 10 * place + number)

    def vectors(cache):
        pack = opening.open_pack(f"folder:{tmp_path / 'birds'}", Options(features=(kind,)), tmp_path / cache, 1)
        return {name: row.tobytes() for name, row in zip(pack.identities, pack.features[kind], strict=True)}

    before = vectors("one")
    Image.new("RGB", (48, 48), (255, 255, 0)).save(tmp_path / "birds" / "ibis" / "2.png")
    after = vectors("two")
    assert len(before.keys() - after.keys()) == 1
    assert len(before) == len(after) == 12
    assert all(after[name] == vector for name, vector in before.items() if name in after)
