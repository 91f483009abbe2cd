"""Heterogeneous transfer by encoder and decoder: two feature spaces, one code, one classifier.

Source and target examples live in different spaces, so that no weight can be copied. Each space gets an encoder into a
common code and a decoder back; a head classifies codes, whatever space they come from. Learned together (protocol of
Zhuang et al., "Supervised representation learning: transfer learning with deep autoencoders", IJCAI 2015, eq. 1)::

    J = J_rec(S) + J_rec(T) + α Γ(codes of S, codes of T) + β (L(S) + L(T)) + γ Ω(weights)

Deviations: there the two domains share one feature space, an encoder and a decoder, here each has its own; there no
target example has a label, here few have, so that Γ also compares class by class and L has a target term. Every term is
a mean, not a sum, so that a strength means the same whatever the number of examples. Everything is for a stack of K
members (``stacked.py``), whose target examples are the same and whose labelled ones differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional

from .stacked import minimise, squared_weights, stacked_perceptron

LEAST_SHARE = 1e-8  # of a mean code, before its logarithm is taken


@dataclass(frozen=True)
class Strengths:
    """What each term of the objective counts. A source of strength zero is absent. pairs: of the distance of codes."""

    reconstruction: float
    alignment: float
    classification: float
    decay: float
    source: float = 1.0
    pairs: float = 0.0


@dataclass(frozen=True)
class Domain:
    """Examples of one feature space.

    inputs: (N, d). labels: (N,), classes 0 … ``classes`` − 1, read only where ``labelled`` is positive. labelled:
    (K, N), the weight of each example's label in each member, every row of sum one. present: (K, N), the weight of each
    example in what needs no label, every row of sum one.
    """

    inputs: Tensor
    labels: Tensor
    labelled: Tensor
    present: Tensor
    classes: int

    @cached_property
    def groups(self) -> Tensor:
        """Weights of all examples, and of the labelled ones of each class: (K, 1 + classes, N)."""
        own = functional.one_hot(self.labels, self.classes).T.to(self.labelled)
        return torch.cat([self.present.unsqueeze(1), own * self.labelled.unsqueeze(1)], dim=1)


def reconstruction_loss(inputs: Tensor, outputs: Tensor, present: Tensor) -> Tensor:
    """Mean squared error of a number of the inputs: (N, d), (K, N, d) and weights (K, N) → (K,).

    >>> inputs, outputs = torch.zeros(2, 1), torch.tensor([[[1.0], [3.0]]])
    >>> reconstruction_loss(inputs, outputs, torch.tensor([[0.5, 0.5]])).tolist()  # of 1 and 9
    [5.0]
    """
    return ((outputs - inputs).square().mean(-1) * present).sum(-1)


def classification_loss(scores: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
    """Weighted mean of −log softmax(scores)[label]: (K, N, C), (N,) and weights (K, N) → (K,).

    >>> only_the_first = torch.tensor([[1.0, 0.0]])
    >>> sure = torch.tensor([[[99.0, 0.0], [99.0, 0.0]]])  # right of the first; of the second no label is known
    >>> classification_loss(sure, torch.tensor([0, 1]), only_the_first).abs().tolist()
    [0.0]
    """
    log_shares = functional.log_softmax(scores, dim=-1)
    own = log_shares.gather(-1, labels.expand(len(scores), -1).unsqueeze(-1)).squeeze(-1)
    return -(own * labelled).sum(-1)


def mean_code(codes: Tensor, weights: Tensor) -> Tensor:
    """Means of positive codes, each brought to sum one (ibid., eq. 4): (K, N, c), weights (K, G, N) → (K, G, c).

    >>> codes = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])
    >>> mean_code(codes, torch.tensor([[[0.5, 0.5]]])).double().round(decimals=4).tolist()  # (½, 1), brought to sum one
    [[[0.3333, 0.6667]]]
    """
    mean = weights @ codes
    return mean / mean.sum(-1, keepdim=True).clamp_min(LEAST_SHARE)


def symmetric_divergence(first: Tensor, second: Tensor) -> Tensor:
    """KL(p‖q) + KL(q‖p) = Σ (p − q) log(p/q) of shares (…, c) (ibid., eq. 3) → (…).

    >>> p, q = torch.tensor([0.25, 0.75]), torch.tensor([0.75, 0.25])
    >>> round(symmetric_divergence(p, q).item(), 4), symmetric_divergence(p, p).item()  # log 3
    (1.0986, 0.0)
    """
    logs = first.clamp_min(LEAST_SHARE).log() - second.clamp_min(LEAST_SHARE).log()
    return ((first - second) * logs).sum(-1)


def alignment_loss(source_codes: Tensor, target_codes: Tensor, source: Domain, target: Domain) -> Tensor:
    """Γ: divergence of the mean codes of all examples, plus the mean over classes of that of labelled ones → (K,).

    A class without labels on either side counts zero.
    """
    each = symmetric_divergence(mean_code(source_codes, source.groups), mean_code(target_codes, target.groups))
    known = (source.groups.sum(-1) > 0) & (target.groups.sum(-1) > 0)
    return each[:, 0] + (each * known)[:, 1:].mean(-1)


class EncoderDecoder(nn.Module):
    """K members of: an encoder and a decoder for each feature space, and one head.

    The code has values from 0 to 1 (sigmoid). generator: purpose → a generator on the CPU, so that a part's first
    weights depend on no other part.
    """

    def __init__(
        self,
        members: int,
        source: int,
        target: int,
        classes: int,
        hidden: Sequence[int],
        code: int,
        generator: Callable[[str], torch.Generator],
    ) -> None:
        super().__init__()
        into = {"source": [source, *hidden, code], "target": [target, *hidden, code]}
        self.encoders = nn.ModuleDict(
            {
                name: stacked_perceptron(members, widths, generator(f"{name} encoder"), nn.Sigmoid())
                for name, widths in into.items()
            }
        )
        self.decoders = nn.ModuleDict(
            {
                name: stacked_perceptron(members, widths[::-1], generator(f"{name} decoder"))
                for name, widths in into.items()
            }
        )
        self.head = stacked_perceptron(members, [code, classes], generator("head"))

    def losses(self, source: Domain, target: Domain, strengths: Strengths, paired: tuple[Tensor, Tensor]) -> Tensor:
        """J of each member (K,). paired: the same examples in the source's and in the target's space."""
        target_codes = self.encoders["target"](target.inputs)
        used = ["target", *(["source"] if strengths.source else [])]
        total = self._of_domain("target", target, target_codes, strengths)
        if strengths.source:
            source_codes = self.encoders["source"](source.inputs)
            total = total + strengths.source * self._of_domain("source", source, source_codes, strengths)
            if strengths.alignment:
                total = total + strengths.alignment * alignment_loss(source_codes, target_codes, source, target)
            if strengths.pairs:
                ours, theirs = self.encoders["source"](paired[0]), self.encoders["target"](paired[1])
                total = total + strengths.pairs * (ours - theirs).square().mean((1, 2))
        parts = [self.head, *(part[name] for part in (self.encoders, self.decoders) for name in used)]
        return total + strengths.decay * squared_weights(parts)

    def _of_domain(self, name: str, domain: Domain, codes: Tensor, strengths: Strengths) -> Tensor:
        loss = strengths.classification * classification_loss(self.head(codes), domain.labels, domain.labelled)
        if strengths.reconstruction:
            rebuilt = self.decoders[name](codes)
            loss = loss + strengths.reconstruction * reconstruction_loss(domain.inputs, rebuilt, domain.present)
        return loss

    @torch.no_grad()
    def predict(self, inputs: Tensor) -> Tensor:
        """Classes of target examples (N, d), by each member: (K, N)."""
        scores: Tensor = self.head(self.encoders["target"](inputs))
        return scores.argmax(-1)


def fit(
    network: EncoderDecoder,
    source: Domain,
    target: Domain,
    strengths: Strengths,
    paired: tuple[Tensor, Tensor],
    steps: int,
    rate: float,
) -> Tensor:
    """Learn all parts together on all examples at every step; the last losses (K,)."""
    return minimise(
        list(network.parameters()), lambda _: network.losses(source, target, strengths, paired), steps, rate
    )
