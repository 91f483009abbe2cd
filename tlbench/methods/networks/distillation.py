"""What a student network learns from a teacher: soft targets (Hinton, Vinyals & Dean 2015) and hints (Romero et al.).

Scores are logits. All functions take leading dimensions (…), of many students learning at once, and give a loss for
each; the last two dimensions are pictures and classes (or units). A loss is a mean over pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor


def soft_targets(scores: Tensor, temperature: Tensor | float) -> Tensor:
    """Probabilities softmax(z / T) of scores (…, n, classes); Hinton et al. 2015, eq. 1.

    temperature: one, or one for each student (…).

    >>> scores = torch.tensor([[0.0, 3.0]])
    >>> [[round(p, 3) for p in soft_targets(scores, T)[0].tolist()] for T in (1.0, 1e9)]  # T → ∞: all alike
    [[0.047, 0.953], [0.5, 0.5]]
    """
    return torch.softmax(_cooled(scores, temperature), -1)


def soft_loss(student: Tensor, teacher: Tensor, temperature: Tensor | float, *, scaled: bool | Tensor = True) -> Tensor:
    """T² KL(softmax(v / T) ‖ softmax(z / T)) of a student's scores z and its teacher's v, both (…, n, classes).

    Its gradient with respect to z is T (q − p) / n, with the soft targets p of v and q of z. For scores of zero mean it
    tends to (z − v) / (n classes) as T grows (Hinton et al. 2015, section 2.1): thanks to T² it does not vanish.
    The cross-entropy of the paper differs from this by p's own entropy, a constant. scaled: False leaves T² out, for
    all students or for some (…).

    >>> teacher = torch.tensor([[1.0, -1.0]])
    >>> round(soft_loss(teacher + 5.0, teacher, 4.0).item(), 4)  # scores that differ by a constant say the same
    0.0
    >>> round(soft_loss(torch.zeros(1, 2).double(), teacher.double(), 1e3).item(), 4)  # T → ∞: ½ ‖z − v‖² / classes
    0.5
    """
    targets = torch.log_softmax(_cooled(teacher, temperature), -1)
    given = torch.log_softmax(_cooled(student, temperature), -1)
    divergence = (targets.exp() * (targets - given)).sum(-1).mean(-1)
    squared = torch.as_tensor(temperature, dtype=student.dtype, device=student.device).square()
    factor = torch.where(torch.as_tensor(scaled, device=student.device), squared, torch.ones_like(squared))
    return factor * divergence


def hard_loss(student: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy −log softmax(z)_y of scores (…, n, classes) and classes (…, n).

    >>> round(hard_loss(torch.zeros(3, 4), torch.tensor([0, 1, 3])).item(), 4)  # guessing among four: log 4
    1.3863
    """
    logarithms = torch.log_softmax(student, -1)
    return -logarithms.gather(-1, labels.unsqueeze(-1)).squeeze(-1).mean(-1)


def distillation_loss(
    student: Tensor,
    teacher: Tensor,
    labels: Tensor,
    temperature: Tensor | float,
    hard_weight: Tensor | float,
    *,
    scaled: bool | Tensor = True,
) -> Tensor:
    """(1 − α) CE(y, softmax(z)) + α T² KL(softmax(v / T) ‖ softmax(z / T)), for each student (…).

    hard_weight: 1 − α, one or one for each student; 1 learns from labels alone, 0 from the teacher alone. "Considerably
    lower" than α is what Hinton et al. (2015, section 2) found best. temperature, scaled: as in ``soft_loss``.

    >>> scores, labels = torch.zeros(1, 4), torch.tensor([2])
    >>> teacher = scores.clone()  # the student says what the teacher says: labels alone are left
    >>> [round(distillation_loss(scores, teacher, labels, 2.0, share).item(), 4) for share in (0.0, 0.5, 1.0)]
    [0.0, 0.6931, 1.3863]
    """
    soft = soft_loss(student, teacher, temperature, scaled=scaled)
    return hard_weight * hard_loss(student, labels) + (1 - hard_weight) * soft


def hint_loss(regressed: Tensor, hint: Tensor) -> Tensor:
    """½ ‖u_h(x) − r(v_g(x))‖² of a teacher's hint layer u_h and what r makes of a student's guided layer v_g.

    Both (…, n, units). Romero et al. (ICLR 2015), eq. 3.

    >>> hint_loss(torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])).item()
    12.5
    """
    return 0.5 * (hint - regressed).square().sum(-1).mean(-1)


class Regressor:
    """What makes a teacher's hint layer from a student's guided layer, for S students: rectified linear units.

    Rectified as the hint layer is (Romero et al. 2015, section 2.2: both of the same non-linearity). Deviation: it does
    not start from random weights but at the mean of each hint unit over the student's pictures, whatever the student.
    A random start is so far off that its gradients drive most guided units below zero, where they learn no more.
    """

    def __init__(self, guided_units: int, hints: Tensor) -> None:
        """hints: (S, n, units), of all of each student's pictures."""
        weights = torch.zeros(len(hints), guided_units, hints.shape[2], device=hints.device)
        self.weights = weights.requires_grad_()
        self.biases = hints.mean(1, keepdim=True).detach().clone().requires_grad_()

    @property
    def parameters(self) -> list[Tensor]:
        """Weights and biases."""
        return [self.weights, self.biases]

    def __call__(self, guided: Tensor) -> Tensor:
        """(S, n, guided units) → (S, n, hint units)."""
        return torch.baddbmm(self.biases, guided, self.weights).relu()


def _cooled(scores: Tensor, temperature: Tensor | float) -> Tensor:
    """Scores / T, with one temperature for all or one for each student."""
    given = torch.as_tensor(temperature, dtype=scores.dtype, device=scores.device)
    return scores / given[..., None, None]
