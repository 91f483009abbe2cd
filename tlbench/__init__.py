"""tlbench: the classic experiments of model-based transfer learning, run again and put to the test.

From Python::

    import tlbench

    results = tlbench.run("caltech-multisource", dataset="digits", profile="smoke")
    results.summary()  # a DataFrame, as are results.tables["measurements"] and results.verdicts()

    sources = [tlbench.BalancedLSSVC().fit(X, y) for X, y in other_tasks]
    target = tlbench.TransferLSSVC(sources).fit(X_few, y_few)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .advice.model import load
    from .methods.estimators import BalancedLSSVC, TransferLSSVC
    from .results import Results
    from .whole_run import run

__all__ = ["BalancedLSSVC", "Results", "TransferLSSVC", "__version__", "load", "run"]

_PLACES = {
    "BalancedLSSVC": "methods.estimators",
    "TransferLSSVC": "methods.estimators",
    "Results": "results",
    "load": "advice.model",
    "run": "whole_run",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when they are used, so that the command line starts at once."""
    if name not in _PLACES:
        raise AttributeError(f"module 'tlbench' has no attribute '{name}'; public are {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(f".{_PLACES[name]}", __name__), name)


def __dir__() -> list[str]:
    """What is public."""
    return __all__
