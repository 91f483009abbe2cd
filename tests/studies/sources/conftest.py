"""What the tests of this room share."""

PARAMETERS = {
    "shots": [1, 2, 5],
    "negatives": 6,
    "test_examples": 20,
    "source_examples": 25,
    "kernel": "rbf",
    "C": 10.0,
    "overlap": "repaired",
    "nonnegative": True,
    "seed": 0,
}
