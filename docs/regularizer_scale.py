"""Whether it is their size that L2 cures: plain fine-tuning from the source's shared weights times a factor.

    python docs/regularizer_scale.py

It prints the rows of a table in ``docs/parameter-regularizers.md``. No picture of a reported unit is looked at.
"""

from __future__ import annotations

import sys

import msgspec
import numpy as np
import torch

from tlbench import protocol
from tlbench.datasets.digits import load_digit_pictures
from tlbench.methods.networks.fine_tuning import fine_tune
from tlbench.methods.networks.penalties import l2, l2_sp, nothing, shared_weights
from tlbench.settings import resolve
from tlbench.studies.regularizers.class_draws import draw_classes
from tlbench.studies.regularizers.parameter_regularizers import STUDY, Parameters
from tlbench.studies.regularizers.trainings import Task

REHEARSALS = 6
ROWS = [
    ("plain", 1.0, nothing, 0.0),
    ("plain, weights × 0.8", 0.8, nothing, 0.0),
    ("plain, weights × 0.67", 0.67, nothing, 0.0),
    ("l2 at 0.1", 1.0, l2, 0.1),
    ("l2-sp at 0.1", 1.0, l2_sp, 0.1),
    ("l2-sp at 1", 1.0, l2_sp, 1.0),
]


class Kept:
    """What one source leaves for its trainings."""

    device = "cpu"

    def keep_weights(self, arrays):
        """Hold them."""
        self.arrays = arrays

    def weights(self, _):
        """Hand them over."""
        return self.arrays


declared = protocol.read("parameter-regularizers")
parameters = msgspec.convert(resolve(declared, STUDY, None, {}).parameters, Parameters)
pictures = load_digit_pictures()
found = {label: [] for label, *_ in ROWS}
for number in range(1, REHEARSALS + 1):
    unit, kept = f"rehearsal {number}", Kept()
    drawn = draw_classes(pictures, parameters.amounts, "rehearsal", parameters.seed, unit, 0)
    task = Task(pictures, drawn, parameters, unit, 0)
    task.train_source(kept)
    source = task.kept_source(kept)
    for label, factor, penalty, strength in ROWS:
        reached = []
        for shots in parameters.shots:
            network = task.start(source)
            with torch.no_grad():
                for weight in shared_weights(network).values():
                    weight.mul_(factor)
            data = task.target(source, shots)
            fine_tune(network, source, data, penalty, strength, task.recipe, task.draw("order"))
            reached.append(task.test_accuracy(network))
        found[label].append(reached)
for label, reached in found.items():
    sys.stdout.write(f"| {label} | " + " | ".join(f"{mean:.1f}" for mean in np.mean(reached, axis=0)) + " |\n")
