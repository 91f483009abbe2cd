"""Transfer in a prior over functions: Gaussian processes of a source and of a target with few outputs."""

STUDIES = ("gp_correlation", "gp_transfer")
