"""Several tasks learned at once, with how they are related."""

STUDIES = ("multitask_similarity", "multitask_tables")
