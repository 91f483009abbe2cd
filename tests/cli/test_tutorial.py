"""The tutorial's commands, as they stand there, on pictures that are made for it."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (tlbench .+)$", TUTORIAL, re.M)
SNIPPETS = re.findall(r"^```python\n(.+?)^```$", TUTORIAL, re.M | re.S)


def birds(folder, corners, count, seed):
    """A polygon with so many corners, somewhere; with none, noise alone."""
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        image = Image.fromarray(draw.integers(0, 90, (40, 48), dtype=np.uint8))
        if corners:
            centre, radius = draw.uniform(15, 25, 2), draw.uniform(9, 13)
            turn = 2 * np.pi * np.arange(corners) / corners + draw.normal(0, 0.1)
            points = centre + radius * np.stack([np.sin(turn), np.cos(turn)], axis=1)
            ImageDraw.Draw(image).polygon([tuple(point) for point in points], fill=210)
        image.save(folder / f"{number}.png")


@pytest.fixture
def photos(place):
    for corners, name in enumerate(("heron", "egret", "ibis", "stork"), start=3):
        birds(place.folder / "photos" / name, corners, 24, corners)
    birds(place.folder / "photos" / "clutter", 0, 60, 1)
    birds(place.folder / "photos" / "kingfisher", 8, 3, 2)
    birds(place.folder / "unseen", 8, 5, 30)
    birds(place.folder / "unseen more", 0, 5, 31)
    for file in (place.folder / "unseen more").iterdir():
        file.rename(place.folder / "unseen" / f"other {file.name}")
    return place


def test_there_is_something_to_execute():
    assert [command.split()[1] for command in COMMANDS] == ["advise", "predict", "predict", "advise", "advise"]
    assert len(SNIPPETS) == 1


@pytest.mark.slow
def test_the_commands_do_what_the_tutorial_says(photos):
    seen = {}
    for command in COMMANDS[:3]:
        seen[command] = photos.succeed(*command.split()[1:]).out
    page, table = seen[COMMANDS[0]], seen[COMMANDS[1]]
    assert page.startswith("# kingfisher, 3 labelled pictures")
    assert "balanced accuracy" in page
    names = {path.name for path in (photos.folder / "advice").iterdir()}
    assert {"advice.md", "rehearsal.csv", "weights.csv", "advice.png", "advice.svg", "model.safetensors"} == names
    assert "found.csv" in {path.name for path in photos.folder.iterdir()}
    answers = [line.split()[-1] for line in table.splitlines()[1:]]
    assert answers == sorted(answers, reverse=True)
    assert {"yes", "no"} == set(answers)
    shown = photos.succeed(python=("-c", SNIPPETS[0]))
    assert re.match(r"unseen/\d\.png \d\.", shown.out)
    for command in COMMANDS[3:]:
        photos.succeed(*command.split()[1:])
    assert (photos.folder / "phog-alone" / "advice.md").is_file()
