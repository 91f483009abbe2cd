"""Run by the other library's Python: ADAPT's RegularTransferLC on the arrays of ``single_source``.

python adapt_regular_transfer.py INPUTS.npz OUTPUTS.npz
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
from importlib.metadata import version

import numpy as np


def main(inputs: str, outputs: str) -> None:
    """Fit one machine for every task and strength, and write decision values and seconds a fit."""
    from adapt.parameter_based import RegularTransferLC
    from sklearn.linear_model import RidgeClassifier

    arrays = np.load(inputs)
    decisions = np.zeros((len(arrays["strengths"]), len(arrays["train"]), arrays["test"].shape[1]))
    seconds = np.zeros(decisions.shape[:2])
    for place, (rows, labels, tested, source) in enumerate(
        zip(arrays["train"], arrays["labels"], arrays["test"], arrays["source"], strict=True)
    ):
        model = RidgeClassifier().fit(arrays["examples"][:2], [-1, 1])  # a shell for the source's numbers
        model.coef_, model.intercept_ = arrays["coefficients"][source][None], arrays["intercepts"][source][None]
        used = labels != 0
        examples, own = arrays["examples"][rows[used]], labels[used]
        for strength, value in enumerate(arrays["strengths"]):
            with contextlib.redirect_stdout(io.StringIO()):  # it prints the shape of the labels at every fit
                machine = RegularTransferLC(model, lambda_=float(value), copy=True, verbose=0)
                begun = time.perf_counter()
                machine.fit(examples, own)
                seconds[strength, place] = time.perf_counter() - begun
                decisions[strength, place] = machine.estimator_.decision_function(arrays["examples"][tested]).ravel()
    np.savez(outputs, decisions=decisions, seconds=seconds, version=np.array(version("adapt")))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
