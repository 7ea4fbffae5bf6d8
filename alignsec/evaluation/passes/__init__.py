"""Model passes: the layer that the engine, the reference run and the corruption run share.

Modules:
    model_runner: Runs a classifier in batches that fit in memory, forward or forward and backward.
    memory: Measures the memory of one image and computes the largest batch that fits.
    precision: Precision of a search (float32, TF32 or bfloat16) and the rounding that it causes.
    compiled: The network through torch.compile, checked against the eager network.
    frozen: Holds a model in evaluation mode with frozen parameters, and restores it.
    clean_pass: Checks a task, classifies its clean images and returns the first evaluation.
    warnings: Notes on models and results that make the measured robustness doubtful.
"""
