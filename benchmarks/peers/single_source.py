"""One source, linear machines, the same arrays: tlbench beside ADAPT's RegularTransferLC.

    python3 -m venv peer && peer/bin/pip install adapt tensorflow-cpu
    python -m benchmarks.peers.single_source --peer peer/bin/python --data-dir FOLDER

Every target of the released Caltech-256 features (mixed) leans on each of its sources alone: 10 splits, 1, 3 and 10
positives beside 10 negatives, tested on 50 + 50. The four kinds of feature stand side by side, each divided by its
root mean square on the sources' training pictures. Source machines are linear, class-balanced, of C = 10, and are given
to both. The other library minimises ‖Xβ − y‖² + λ‖β − β_S‖², its intercept penalised as well, for a λ that has to be
chosen: it runs with several, and its best on the test is reported, which favours it. Ours fits all sources of a target
on one factorisation, at the C of everything else: with weight 1, which is the same problem but for the balance of
classes and the free bias, and with the weight that exact leave-one-out gives.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tlbench import datasets
from tlbench.methods.least_squares_svm import class_balance, factorise, train
from tlbench.methods.source_weights import leave_one_out, scalar_weights

from ..table import Row, seconds, show, write

Floats = NDArray[np.float64]
C = 10.0
SHOTS = (1, 3, 10)
NEGATIVES = 10
SPLITS = tuple(range(10))
TARGETS = 10
STRENGTHS = (0.01, 0.1, 1.0, 10.0)


class Arrays:
    """Tasks of all targets, in the order target, source, split, shots; and the sources' machines.

    examples (n, d); train (tasks, N) and test (tasks, T), rows; labels (tasks, N), 0 where unused; source (tasks,),
    which of the machines with coefficients (machines, d) and intercepts (machines,).
    """

    def __init__(self, folder: Path) -> None:
        opened = datasets.open_data("caltech256-features", datasets.Options(setting="mixed"), folder)
        assert isinstance(opened, datasets.FeaturePack)
        amounts = datasets.Amounts(max(SHOTS), NEGATIVES, 50, 80)
        wide: list[Floats] = []
        train_rows, labels, test_rows, coefficients, intercepts = [], [], [], [], []
        place = np.arange(NEGATIVES + max(SHOTS))
        signs = np.array([np.where(place < NEGATIVES, -1, np.where(place < NEGATIVES + s, 1, 0)) for s in SHOTS])
        for target in opened.categories:
            rows = datasets.draw_task(opened, target, amounts, "repaired", 0, SPLITS)
            examples = _side_by_side(opened, rows.source_training)
            offset = sum(len(part) for part in wide)
            wide.append(examples)
            for source in rows.sources.values():
                own = examples[np.r_[source.positives, source.negatives]]
                dual, bias = train(
                    own @ own.T, np.repeat([1.0, -1.0], [len(source.positives), len(source.negatives)]), C
                )
                coefficients.append(dual @ own)
                intercepts.append(bias)
                train_rows.append(np.repeat(rows.train + offset, len(SHOTS), axis=0))
                test_rows.append(np.repeat(rows.test + offset, len(SHOTS), axis=0))
                labels.append(np.tile(signs, (len(SPLITS), 1)))
        self.examples = np.concatenate(wide)
        self.train, self.labels, self.test = (np.concatenate(part) for part in (train_rows, labels, test_rows))
        self.source = np.repeat(np.arange(len(coefficients)), len(SPLITS) * len(SHOTS))
        self.coefficients, self.intercepts = np.array(coefficients), np.array(intercepts)

    def save(self, path: Path) -> None:
        np.savez(path, strengths=np.array(STRENGTHS), **vars(self))

    def fit(self, C: float, learned: bool = True) -> list[tuple[Floats, Floats, Floats]]:
        """For each target: duals (k, tasks, N), biases and weights (k, tasks) of all its sources, from the examples on.

        Weights are learned by leave-one-out, or all one.
        """
        tasks = len(SPLITS) * len(SHOTS)
        per_target = len(self.coefficients) // TARGETS
        fitted = []
        for first in range(0, len(self.coefficients), per_target):
            some = slice(first * tasks, (first + 1) * tasks)
            labels = self.labels[some].astype(float)
            used = labels != 0
            training = self.examples[self.train[some]]
            models = slice(first, first + per_target)
            scores = (training @ self.coefficients[models].T + self.intercepts[models]) * used[..., None]
            balance = class_balance(labels, used)
            machines = factorise(training @ training.swapaxes(1, 2), balance, C, used)
            beta = np.ones((tasks, per_target))
            if learned:
                beta, _ = scalar_weights(leave_one_out(machines, labels, scores, balance))
            targets = np.moveaxis(labels[..., None] - scores * beta[:, None], -1, 0)
            fitted.append((machines.dual(targets), machines.bias(targets), beta.T))
        return fitted

    def decide(self, fitted: list[tuple[Floats, Floats, Floats]]) -> Floats:
        """Decision values (tasks, T)."""
        decisions = []
        for dual, bias, beta in fitted:
            for source in range(len(dual)):
                start = sum(len(part) for part in decisions)
                some = slice(start, start + len(beta[source]))
                training, testing = self.examples[self.train[some]], self.examples[self.test[some]]
                own = (testing @ np.einsum("si,sid->sd", dual[source], training)[..., None])[..., 0]
                model = self.source[start]
                lent = testing @ self.coefficients[model] + self.intercepts[model]
                decisions.append(own + bias[source][:, None] + beta[source][:, None] * lent)
        return np.concatenate(decisions)

    def accuracy(self, decisions: Floats) -> Floats:
        """Balanced accuracy in percent at each number of shots, mean over all else."""
        half = self.test.shape[1] // 2
        each = 50.0 * ((decisions[:, :half] > 0).mean(1) + (decisions[:, half:] <= 0).mean(1))
        return each.reshape(-1, len(SHOTS)).mean(0)


def _side_by_side(pack: datasets.FeaturePack, fitted_on: NDArray[np.intp]) -> Floats:
    return np.concatenate(
        [values / np.sqrt(np.mean(np.square(values[fitted_on]))) for values in pack.features.values()], axis=1
    )


def main() -> None:
    """Print and write the row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.single_source", description=__doc__)
    parser.add_argument("--peer", type=Path, required=True, help="the Python that has the other library")
    parser.add_argument("--data-dir", type=Path, required=True, help="where caltech256-features/ lies")
    asked = parser.parse_args()
    arrays = Arrays(asked.data_dir)
    with tempfile.TemporaryDirectory() as scratch:
        given, found = Path(scratch) / "inputs.npz", Path(scratch) / "outputs.npz"
        arrays.save(given)
        script = Path(__file__).with_name("adapt_regular_transfer.py")
        subprocess.run([asked.peer, script, given, found], check=True)
        other = dict(np.load(found))
    taken = [seconds(lambda: arrays.fit(C)) / len(arrays.train) for _ in range(6)][1:]
    learned, plain = (arrays.accuracy(arrays.decide(arrays.fit(C, chosen))) for chosen in (True, False))
    theirs = np.array([arrays.accuracy(decisions) for decisions in other["decisions"]])
    best = int(theirs.mean(1).argmax())
    each = float(np.median(other["seconds"][best]))
    ratios = sorted(each / one for one in taken)

    def at(accuracies: Floats) -> str:
        return f"{', '.join(f'{value:.1f}' for value in accuracies)} (mean {accuracies.mean():.1f})"

    measure = (
        f"{len(arrays.train):,} fits with one linear source on {arrays.examples.shape[1]} features, from the examples "
        f"to the machine: {1e6 * float(np.median(taken)):.1f} µs a fit, its weight learned, against "
        f"{1e3 * each:.2f} ms (median); balanced accuracy at 1, 3 and 10 positives: {at(learned)} with learned weight "
        f"and {at(plain)} with "
        f"weight 1, against {at(theirs[best])} at λ = {STRENGTHS[best]:g}, its best of {len(STRENGTHS)} on the test"
    )
    against = f"ADAPT {other['version']} RegularTransferLC"
    rows = [Row("single source, a fit", against, ratios[len(ratios) // 2], ratios[0], ratios[-1], measure)]
    show(rows)
    write(rows, Path(__file__).with_name("results.csv"))


if __name__ == "__main__":
    main()
