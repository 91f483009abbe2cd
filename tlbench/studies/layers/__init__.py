"""Networks that inherit their first layers."""

STUDIES = ("layer_transfer",)
