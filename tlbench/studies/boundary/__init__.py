"""A boundary in the plane, so that everything can be seen."""

STUDIES = ("toy_boundary",)
