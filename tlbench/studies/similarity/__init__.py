"""How alike two tasks are, held against what one gains from the other's layers."""

STUDIES = ("class_similarity",)
