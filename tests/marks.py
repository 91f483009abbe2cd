"""Marks that several tests give."""

import pytest


def slow(*values):
    """Values of a parameter that are tried by ``make test-long`` only."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
