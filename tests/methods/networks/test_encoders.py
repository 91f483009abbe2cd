"""The objective against its formulas in plain numpy, its gradient against differences, and its limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn

from tlbench.methods.networks import encoders
from tlbench.methods.networks.encoders import Domain, EncoderDecoder, Strengths, fit
from tlbench.methods.networks.stacked import StackedLinear

WHOLE = Strengths(reconstruction=0.7, alignment=1.3, classification=0.9, decay=0.01, pairs=0.6)
CLASSES = 3


def drawn(purpose):
    return torch.Generator().manual_seed(sum(map(ord, purpose)))


def network(members=2, hidden=(5,)):
    return EncoderDecoder(members, 6, 4, CLASSES, list(hidden), 3, drawn).double()


@pytest.fixture
def examples():
    """A source of 9, a target of 12 of which 3 or 6 are labelled, and 4 pairs."""
    draw = np.random.default_rng(5)
    one, other, first, second = (torch.from_numpy(draw.normal(size=size)) for size in ((9, 6), (12, 4), (4, 6), (4, 4)))
    labelled = torch.zeros(2, 12, dtype=torch.float64)
    labelled[0, :3], labelled[1, :6] = 1 / 3, 1 / 6
    source = Domain(one, torch.arange(9) % 3, *[torch.full((2, 9), 1 / 9, dtype=torch.float64)] * 2, CLASSES)
    target = Domain(other, torch.arange(12) % 3, labelled, torch.full((2, 12), 1 / 12, dtype=torch.float64), CLASSES)
    return source, target, (first, second)


def run(layers, values):
    """A member's part as plain numpy: [(weight, bias), …], tanh between."""
    for place, (weight, bias) in enumerate(layers):
        values = (np.tanh(values) if place else values) @ weight + bias
    return values


def layers_of(part, member):
    found = [layer for layer in part if isinstance(layer, StackedLinear)]
    return [(layer.weight[member].detach().numpy(), layer.bias[member].detach().numpy()) for layer in found]


def divergence(first, second):
    first, second = first.mean(0) / first.mean(0).sum(), second.mean(0) / second.mean(0).sum()
    return np.sum(first * np.log(first / second)) + np.sum(second * np.log(second / first))


def by_hand(net, member, shots, examples, strengths):
    """The whole objective from its formulas, on lists of examples instead of weights."""
    source, target, paired = examples
    codes, total, decay = {}, 0.0, 0.0
    for name, domain, known in (("source", source, 9), ("target", target, 3 * shots)):
        inputs, labels = domain.inputs.numpy(), domain.labels.numpy()
        encoder, decoder = layers_of(net.encoders[name], member), layers_of(net.decoders[name], member)
        codes[name] = 1 / (1 + np.exp(-run(encoder, inputs)))
        total += strengths.reconstruction * np.mean((run(decoder, codes[name]) - inputs) ** 2)
        scores = run(layers_of(net.head, member), codes[name])[:known]
        shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
        total += strengths.classification * -np.mean(np.log(shares[np.arange(known), labels[:known]]))
        decay += sum(np.sum(weight**2) for weight, _ in (*encoder, *decoder))
    decay += sum(np.sum(weight**2) for weight, _ in layers_of(net.head, member))
    ours, theirs = codes["source"], codes["target"]
    each = [divergence(ours[label::3], theirs[: 3 * shots][label::3]) for label in range(3)]
    total += strengths.alignment * (divergence(ours, theirs) + np.mean(each))
    first, second = (
        1 / (1 + np.exp(-run(layers_of(net.encoders[name], member), values.numpy())))
        for name, values in zip(("source", "target"), paired, strict=True)
    )
    return total + strengths.pairs * np.mean((first - second) ** 2) + strengths.decay * decay


def test_the_objective_is_that_of_its_formulas(examples):
    net = network()
    found = net.losses(*examples[:2], WHOLE, examples[2])
    assert found[0].item() == pytest.approx(by_hand(net, 0, 1, examples, WHOLE), rel=1e-10)
    assert found[1].item() == pytest.approx(by_hand(net, 1, 2, examples, WHOLE), rel=1e-10)


def test_the_divergence_is_zero_of_equals_symmetric_and_grows():
    first, second = torch.tensor([0.2, 0.3, 0.5]), torch.tensor([0.5, 0.3, 0.2])
    assert encoders.symmetric_divergence(first, first).item() == 0.0
    both = encoders.symmetric_divergence(first, second), encoders.symmetric_divergence(second, first)
    assert both[0].item() == pytest.approx(both[1].item())
    assert both[0].item() == pytest.approx(0.6 * np.log(2.5), rel=1e-5)
    assert torch.isfinite(encoders.symmetric_divergence(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])))


def test_a_class_without_labels_is_not_aligned(examples):
    source, target, _ = examples
    none = dataclasses.replace(target, labelled=torch.zeros_like(target.labelled))
    codes = torch.rand(2, 9, 3, dtype=torch.float64), torch.rand(2, 12, 3, dtype=torch.float64)
    alone = encoders.alignment_loss(*codes, source, none)
    wanted = divergence(codes[0][0].numpy(), codes[1][0].numpy())
    assert alone[0].item() == pytest.approx(wanted)
    nowhere = dataclasses.replace(source, labelled=torch.zeros_like(source.labelled))
    assert encoders.alignment_loss(*codes, nowhere, target)[0].item() == pytest.approx(wanted)


def test_gradients_are_those_of_finite_differences(examples):
    net = network()
    loss = net.losses(*examples[:2], WHOLE, examples[2]).sum()
    loss.backward()
    step = 1e-6
    for name, parameter in net.named_parameters():
        for place in (0, parameter.numel() // 2, parameter.numel() - 1):
            values = []
            for sign in (1, -1):
                with torch.no_grad():
                    parameter.view(-1)[place] += sign * step
                    values.append(net.losses(*examples[:2], WHOLE, examples[2]).sum().item())
                    parameter.view(-1)[place] -= sign * step
            slope = (values[0] - values[1]) / (2 * step)
            assert parameter.grad.view(-1)[place].item() == pytest.approx(slope, rel=1e-5, abs=1e-7), name


def test_without_alignment_and_classification_the_domains_are_autoencoders_apart(examples):
    """What the source holds then does not move the target, and the head learns nothing."""
    source, target, paired = examples
    apart = Strengths(reconstruction=1.0, alignment=0.0, classification=0.0, decay=0.0)
    other = dataclasses.replace(source, inputs=source.inputs * 3 + 1, labels=source.labels.flip(0))
    nets = network(), network(), network()
    head = nets[0].head[0].weight.clone()
    fit(nets[0], source, target, apart, paired, 20, 0.05)
    fit(nets[1], other, target, apart, paired, 20, 0.05)
    fit(nets[2], source, target, dataclasses.replace(apart, source=0.0), paired, 20, 0.05)
    for part in ("encoders", "decoders"):
        for net in nets[1:]:
            for (name, ours), theirs in zip(
                getattr(nets[0], part)["target"].named_parameters(),
                getattr(net, part)["target"].parameters(),
                strict=True,
            ):
                torch.testing.assert_close(ours, theirs, msg=name)
    assert torch.equal(nets[0].head[0].weight, head)


def test_a_linear_autoencoder_rebuilds_as_well_as_principal_components():
    """Baldi & Hornik 1989: its only minimum is the space of the first components."""
    draw = np.random.default_rng(2)
    inputs = draw.normal(size=(60, 4)) @ np.diag([1.5, 1.2, 1.0, 0.6]) @ np.linalg.qr(draw.normal(size=(4, 4)))[0] + 1.0
    net = network(members=1, hidden=())
    net.encoders["target"] = net.encoders["target"][:-1]  # no sigmoid: the code is linear
    assert all(isinstance(layer, StackedLinear) for layer in net.encoders["target"])
    weights = torch.full((1, 60), 1 / 60, dtype=torch.float64)
    target = Domain(torch.from_numpy(inputs), torch.zeros(60, dtype=torch.long), weights, weights, CLASSES)
    alone = Strengths(reconstruction=1.0, alignment=0.0, classification=0.0, decay=0.0, source=0.0)
    nothing = torch.zeros(1, 6, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    last = fit(net, target, target, alone, nothing, 600, 0.05)
    components = PCA(3).fit(inputs)
    rebuilt = components.inverse_transform(components.transform(inputs))
    assert last.item() == pytest.approx(np.mean((rebuilt - inputs) ** 2), rel=1e-3)


def test_strong_alignment_brings_mean_codes_together_and_pairs_bring_codes_together(examples):
    source, target, paired = examples

    def distances(strengths):
        net = network()
        fit(net, source, target, strengths, paired, 80, 0.1)
        ours, theirs = net.encoders["source"](source.inputs), net.encoders["target"](target.inputs)
        first, second = net.encoders["source"](paired[0]), net.encoders["target"](paired[1])
        aligned = encoders.alignment_loss(ours, theirs, source, target).sum().item()
        return aligned, (first - second).square().mean().item()

    plain = dataclasses.replace(WHOLE, alignment=0.0, pairs=0.0)
    apart, far = distances(plain)
    assert distances(dataclasses.replace(plain, alignment=100.0))[0] < 0.01 * apart
    assert distances(dataclasses.replace(plain, pairs=100.0))[1] < 0.05 * far


def test_labels_that_weigh_nothing_are_not_read(examples):
    source, target, paired = examples
    other = dataclasses.replace(target, labels=torch.cat([target.labels[:6], 2 - target.labels[6:]]))
    nets = network(), network()
    for net, given in zip(nets, (target, other), strict=True):
        fit(net, source, given, WHOLE, paired, 10, 0.05)
    for ours, theirs in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_predictions_are_the_largest_scores(examples):
    net = network()
    scores = net.head(net.encoders["target"](examples[1].inputs))
    assert isinstance(net.head, nn.Sequential)
    np.testing.assert_array_equal(net.predict(examples[1].inputs).numpy(), scores.detach().numpy().argmax(-1))
