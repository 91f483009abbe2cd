"""The map: one source and one target, solved by transfer of models, of instances and of features."""

STUDIES = ("paradigms",)
