"""tlbench: the classic experiments of model-based transfer learning, run again and put to the test."""

__version__ = "0.1.0"
