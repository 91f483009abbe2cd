"""``python -m tlbench``."""

from .cli import main

main()
