"""Speed and memory as ratios: against a plain reference, against peers, and against the limit of the hardware.

Run by ``python -m benchmarks`` from the repository's root; writes ``results.csv`` beside this file.
"""
