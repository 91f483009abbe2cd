"""Losses of distillation against torch's own, closed forms, finite differences and their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from tlbench.methods.networks.distillation import (
    Regressor,
    distillation_loss,
    hard_loss,
    hint_loss,
    soft_loss,
    soft_targets,
)

PICTURES, CLASSES = 7, 4


@pytest.fixture
def given(source):
    """Scores of a student and a teacher, and labels, in double precision."""
    student, teacher = (
        torch.randn(PICTURES, CLASSES, generator=source(seed), dtype=torch.double) * 2 for seed in (1, 2)
    )
    return student, teacher, torch.arange(PICTURES) % CLASSES


def gradient(loss, student):
    student = student.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(student).sum(), student)
    return found


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 20.0])
def test_soft_targets_by_hand(given, temperature):
    _, teacher, _ = given
    for row, found in zip(teacher.tolist(), soft_targets(teacher, temperature).tolist(), strict=True):
        powers = [math.exp(value / temperature) for value in row]
        assert found == pytest.approx([power / sum(powers) for power in powers])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 20.0])
def test_soft_loss_is_torchs_divergence_times_the_squared_temperature(given, temperature):
    student, teacher, _ = given
    twin = functional.kl_div(
        functional.log_softmax(student / temperature, 1),
        functional.softmax(teacher / temperature, 1),
        reduction="batchmean",
    )
    assert soft_loss(student, teacher, temperature).item() == pytest.approx(temperature**2 * twin.item())
    assert soft_loss(student, teacher, temperature, scaled=False).item() == pytest.approx(twin.item())


@pytest.mark.parametrize("hard_weight", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_the_gradient_is_that_of_finite_differences_and_of_the_closed_form(given, temperature, hard_weight):
    """(1 − α)(softmax(z) − y) / n + α T (q − p) / n."""
    student, teacher, labels = given

    def loss(scores):
        return distillation_loss(scores, teacher, labels, temperature, hard_weight)

    found = gradient(loss, student)
    truth = functional.one_hot(labels, CLASSES)
    q, p = (soft_targets(scores, temperature) for scores in (student, teacher))
    closed = hard_weight * (soft_targets(student, 1.0) - truth) + (1 - hard_weight) * temperature * (q - p)
    torch.testing.assert_close(found, closed / PICTURES)
    step = 1e-6
    for place in np.ndindex(PICTURES, CLASSES):
        moved = torch.zeros_like(student)
        moved[place] = step
        slope = (loss(student + moved) - loss(student - moved)) / (2 * step)
        assert slope.item() == pytest.approx(found[place].item(), abs=1e-8)


def test_at_a_high_temperature_the_gradient_is_the_difference_of_centred_scores(given):
    """(z − v) / (n N), and the loss ½ ‖z − v‖² / N: logits are matched (Hinton et al. 2015, section 2.1)."""
    student, teacher, _ = given
    apart = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    errors = []
    for temperature in (1e2, 1e3, 1e4):
        found = gradient(lambda scores, at=temperature: soft_loss(scores, teacher, at), student)
        errors.append((found - apart / CLASSES / PICTURES).abs().max().item())
        half = 0.5 * apart.square().sum(1).mean() / CLASSES
        assert soft_loss(student, teacher, temperature).item() == pytest.approx(half.item(), rel=20 / temperature)
    assert errors[0] > 8 * errors[1] > 64 * errors[2]
    assert errors[2] < 1e-4


def test_the_squared_temperature_keeps_the_scale_that_is_lost_without_it(given):
    student, teacher, _ = given

    def size(temperature, scaled):
        return gradient(lambda scores: soft_loss(scores, teacher, temperature, scaled=scaled), student).norm().item()

    assert size(200.0, True) / size(20.0, True) == pytest.approx(1.0, abs=0.05)
    assert size(200.0, False) / size(20.0, False) == pytest.approx(1 / 100, rel=0.05)


def test_labels_alone_are_torchs_cross_entropy(given):
    student, teacher, labels = given
    twin = functional.cross_entropy(student, labels)
    assert hard_loss(student, labels).item() == pytest.approx(twin.item())
    assert distillation_loss(student, teacher, labels, 20.0, 1.0).item() == pytest.approx(twin.item())


def test_soft_targets_of_a_sure_teacher_are_labels(given):
    """At T = 1 a teacher that is certain and right teaches what labels do."""
    student, _, labels = given
    sure = 1e3 * functional.one_hot(labels, CLASSES).double()
    assert soft_loss(student, sure, 1.0).item() == pytest.approx(hard_loss(student, labels).item())


@pytest.mark.parametrize("temperature", [1.0, 20.0])
def test_a_student_that_is_its_teacher_has_nothing_to_learn(given, temperature):
    _, teacher, _ = given
    for student in (teacher, teacher + 5.0):  # a constant added to all classes changes no probability
        assert soft_loss(student, teacher, temperature).item() == pytest.approx(0.0, abs=1e-12)
        assert gradient(lambda scores: soft_loss(scores, teacher, temperature), student).abs().max() < 1e-12
    assert soft_loss(teacher.flip(1), teacher, temperature).item() > 0.1


def test_each_student_of_a_stack_has_a_temperature_and_a_weight_of_its_own(given, source):
    student, teacher, labels = given
    students = student + torch.randn(3, PICTURES, CLASSES, generator=source(3), dtype=torch.double)
    temperatures, weights, scaled = (1.0, 4.0, 20.0), (1.0, 0.1, 0.0), (True, False, True)
    together = distillation_loss(
        students,
        teacher.expand(3, -1, -1),
        labels.expand(3, -1),
        torch.tensor(temperatures),
        torch.tensor(weights, dtype=torch.double),
        scaled=torch.tensor(scaled),
    )
    for place, found in enumerate(together):
        one = distillation_loss(
            students[place], teacher, labels, temperatures[place], weights[place], scaled=scaled[place]
        )
        assert found.item() == pytest.approx(one.item())


def test_scores_far_apart_give_finite_losses():
    student, teacher = torch.tensor([[-1e4, 1e4, 0.0]]), torch.tensor([[1e4, -1e4, 0.0]])
    assert soft_loss(student, teacher, 1.0).item() == pytest.approx(2e4)


def test_hints_by_hand(source):
    hint, guided = (torch.rand(5, 3, generator=source(seed)) for seed in (1, 2))
    pairs = zip(hint.tolist(), guided.tolist(), strict=True)
    squares = [sum((a - b) ** 2 for a, b in zip(left, right, strict=True)) for left, right in pairs]
    assert hint_loss(guided, hint).item() == pytest.approx(0.5 * sum(squares) / 5)
    found = gradient(lambda regressed: hint_loss(regressed, hint), guided)
    torch.testing.assert_close(found, (guided - hint) / 5)


def test_a_regressor_starts_at_the_mean_hint_and_lets_units_learn(source):
    hints = torch.rand(2, 6, 5, generator=source())
    hints[0, :, 3] = 0.0  # a unit that is never on
    guided = torch.rand(2, 6, 4, generator=source(1)).requires_grad_()
    regressor = Regressor(4, hints)
    torch.testing.assert_close(regressor(guided).detach(), hints.mean(1, keepdim=True).expand(2, 6, 5))
    optimiser = torch.optim.SGD(regressor.parameters, lr=0.5)
    before = hint_loss(regressor(guided), hints)
    for _ in range(200):
        optimiser.zero_grad()
        hint_loss(regressor(guided), hints).sum().backward()
        optimiser.step()
    assert (hint_loss(regressor(guided), hints) < before).all()
    assert guided.grad.abs().max() > 0
    assert regressor(guided).min() >= 0
