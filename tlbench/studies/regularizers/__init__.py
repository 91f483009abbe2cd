"""Networks fine-tuned from a source, with something added to the loss that keeps what the source knew."""

STUDIES = ("parameter_regularizers",)
