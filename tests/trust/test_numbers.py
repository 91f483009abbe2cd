"""What is said of precision: kernel machines compute in 64 bits whatever they are given, networks keep 32.

Everything but networks computes in float64; features of 32 bits are those very numbers in 64. Networks train in
float32, or with bfloat16 products, "with weights, momenta and losses kept in 32 bits" (docs/yosinski-layers.md).
"""

from types import SimpleNamespace

import numpy as np
import pytest

from tlbench import datasets
from tlbench.methods.estimators import BalancedLSSVC, TransferLSSVC
from tlbench.methods.kernels import KERNELS, MeanKernel
from tlbench.methods.least_squares_svm import class_balance, factorise, train


@pytest.fixture
def single():
    """Features that 32 bits hold, as 32 bits, with labels of two classes."""
    draw = np.random.default_rng(0)
    examples = draw.uniform(0.0, 2.0, size=(40, 6)).astype(np.float32)
    return examples, np.arange(40) % 2


def opened(make_table, save_table, folder, kind):
    """A table of features, in ``.npz`` of one kind of number, opened as the program does."""
    table = make_table()
    values = table.columns[2:]
    table[values] = table[values].astype(np.float32).astype(kind)
    path = save_table(table, folder / f"{kind.__name__}.npz")
    with np.load(path) as arrays:
        assert {arrays[name].dtype for name in ("shape", "texture")} == {np.dtype(kind)}
    return datasets.open_data(f"features:{path}", datasets.Options(background="background"), folder)


def test_features_of_32_bits_are_the_same_data_as_the_same_numbers_of_64(make_table, save_table, tmp_path):
    one, other = (opened(make_table, save_table, tmp_path, kind) for kind in (np.float32, np.float64))
    for kind, values in one.features.items():
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values, other.features[kind])
    # The fingerprint stands for the data in every block's key: with it all that is computed is the same.
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_estimators_compute_in_64_bits(single, kernel):
    examples, labels = single
    sources = [BalancedLSSVC(kernel=kernel).fit(np.roll(examples, shift, axis=1), labels) for shift in (1, 2)]
    for machine in (BalancedLSSVC(kernel=kernel), TransferLSSVC(sources, kernel=kernel)):
        narrow = machine.fit(examples, labels).decision_function(examples)
        wide = machine.fit(examples.astype(np.float64), labels).decision_function(examples.astype(np.float64))
        assert narrow.dtype == wide.dtype == np.float64
        np.testing.assert_array_equal(narrow, wide)


@pytest.mark.parametrize("name", KERNELS)
def test_machines_on_kernels_of_32_bits_agree_to_what_32_bits_hold(single, name):
    """Usable alone the kernels compute in what they are given; machines on them in 64 bits."""
    examples, labels = single
    signs, found = np.where(labels == 1, 1.0, -1.0), {}
    for kind in (np.float32, np.float64):
        features = {"x": examples.astype(kind)}
        kernel = MeanKernel.fit(features, name)(features, features)
        machine = factorise(kernel, class_balance(signs), C=1.0)
        dual, _ = train(kernel.astype(np.float64), signs, C=1.0)
        assert machine.P.dtype == dual.dtype == np.float64
        found[kind] = machine.dual(signs)
        np.testing.assert_allclose(dual, found[kind], rtol=1e-6, atol=1e-9)
    scale = np.abs(found[np.float64]).max()
    np.testing.assert_allclose(found[np.float32], found[np.float64], atol=1e-3 * scale)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_networks_keep_weights_momenta_and_losses_in_32_bits(monkeypatch, precision):
    torch = pytest.importorskip("torch")
    from tlbench.methods.networks import training
    from tlbench.methods.networks.architectures import digits8
    from tlbench.methods.networks.pictures import Held

    losses = []

    def loss(scores, labels):
        losses.append(scores.dtype)
        return torch.nn.functional.cross_entropy(scores, labels)

    monkeypatch.setattr(training, "functional", SimpleNamespace(cross_entropy=loss))
    draw = torch.Generator().manual_seed(0)
    network = digits8(3, 1)
    part = Held(torch.empty(24, 8, 8, 1).uniform_(0, 255, generator=draw)), torch.arange(24) % 3
    recipe = training.Recipe(epochs=2, batch=8, learning_rate=0.01, precision=getattr(torch, precision))
    found = {}
    for _, tensors in training.train(network, 0, part, part, recipe, lambda _: draw, False, None):
        found = tensors()
    assert len(found) > len(list(network.parameters())), "weights and momenta"
    assert {tensor.dtype for tensor in found.values() if tensor.is_floating_point()} == {torch.float32}
    assert set(losses) == {torch.float32}
