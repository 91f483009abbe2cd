"""Small networks that learn from a large one: by its softened answers, by its inner layer, without ever seeing a class.

``choices`` says how teachers and students are trained, ``teaching`` does it and alone needs torch, ``distillation`` and
``missing_class`` are the studies.
"""

STUDIES = ("distillation", "missing_class")
