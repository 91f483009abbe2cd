"""Transfer learning as pure mathematics on arrays; nothing here knows of files, runs or terminals.

The algebra (``kernels``, ``least_squares_svm``, ``source_weights``) needs numpy alone. The scikit-learn
estimators built on it live in ``estimators``, imported only by those who use them.
"""
