"""One condition of ``encoder_decoder``, trained at all shots as one stack."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...datasets import generator
from ...methods.networks.encoders import Domain, EncoderDecoder, Strengths, fit
from .code_choices import Floats, Parameters, Sight


def strengths_of(condition: str, parameters: Parameters) -> Strengths:
    """What a condition takes out of the whole objective."""
    alone = condition in ("none", "own-autoencoder")
    no_decoder = condition in ("none", "shared-head", "without-reconstruction")
    return Strengths(
        reconstruction=0.0 if no_decoder else parameters.reconstruction,
        alignment=0.0 if alone or condition in ("shared-head", "without-alignment") else parameters.alignment,
        classification=parameters.classification,
        decay=parameters.decay,
        source=0.0 if alone else 1.0,
        pairs=parameters.pairs if condition == "encoder-decoder-pairs" else 0.0,
    )


def domains(sight: Sight, parameters: Parameters, condition: str) -> tuple[Domain, Domain]:
    """The source, all of it labelled, and the target, of which the first s of every class are, at each of the shots."""
    members = len(parameters.shots)
    count = len(sight.target[0])
    labelled = torch.zeros(members, count)
    for member, shots in enumerate(parameters.shots):
        known = shots * parameters.classes
        labelled[member, :known] = 1.0 / known
    everything = torch.full((members, count), 1.0 / count)
    present = labelled if condition == "without-unlabelled" else everything
    all_source = torch.full((members, len(sight.source[0])), 1.0 / len(sight.source[0]))
    classes = parameters.classes
    source = Domain(_tensor(sight.source[0]), torch.from_numpy(sight.source[1]), all_source, all_source, classes)
    return source, Domain(_tensor(sight.target[0]), torch.from_numpy(sight.target[1]), labelled, present, classes)


def trained(sight: Sight, parameters: Parameters, condition: str, unit: str, split: int) -> EncoderDecoder:
    """The networks of a condition, one for each of the shots; all conditions of a unit start from the same weights."""

    def first_weights(purpose: str) -> torch.Generator:
        drawn = generator(parameters.seed, f"weights: {purpose}", unit, split).integers(2**63)
        return torch.Generator().manual_seed(int(drawn))

    network = EncoderDecoder(
        len(parameters.shots),
        sight.source[0].shape[1],
        sight.target[0].shape[1],
        parameters.classes,
        [parameters.hidden],
        parameters.code,
        first_weights,
    )
    source, target = domains(sight, parameters, condition)
    paired = _tensor(sight.paired[0]), _tensor(sight.paired[1])
    strengths = strengths_of(condition, parameters)
    fit(network, source, target, strengths, paired, parameters.steps, parameters.learning_rate)
    return network


def accuracies(sight: Sight, parameters: Parameters, condition: str, unit: str, split: int) -> list[float]:
    """Percent of test pictures that are recognised, the mean over classes, at each of the shots."""
    found = trained(sight, parameters, condition, unit, split).predict(_tensor(sight.test[0])).numpy()
    truth = sight.test[1]
    each = [np.mean(found[:, truth == label] == label, axis=1) for label in range(parameters.classes)]
    values: list[float] = (100.0 * np.mean(each, axis=0)).tolist()
    return values


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
