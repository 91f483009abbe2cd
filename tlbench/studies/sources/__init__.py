"""Kernel machines that lean on source hyperplanes."""

STUDIES = ("source_weighting", "increasing_sources", "leak_audit", "kernel_terms", "relatedness")
