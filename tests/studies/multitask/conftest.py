"""Strengths that several tests share."""

import pytest

from tlbench.studies.multitask.learners import Strengths


@pytest.fixture
def strengths():
    return Strengths([0.01, 0.05, 0.2, 1.0], [0.01, 0.1], [0.01, 0.2])
