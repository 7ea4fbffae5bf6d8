"""Limits of the engine that the resource estimate of a submission needs too. This module does not import torch."""

SLOTS = 100
"""Default of an attack's `batch`: the searches that run at once, and the images of one batch."""
CPU_SAVED_BYTES = 512 * 2**20
"""Bytes saved for the backward pass beyond which larger batches are not faster on a CPU. On MobileNetV2, ViT-Tiny
and ResNet-18 at 224 pixels, batches of 1.2 to 4.8 GB took 10 to 40 % longer per image than batches of 512 MB. On
networks for 8 to 32 pixels, no batch of this size was faster."""
CPU_BACKWARD = 2.0
"""Peak memory of a gradient pass on a CPU, as a multiple of the bytes saved for it. Measured: 1.2 to 1.7
(MobileNetV2, ViT-Tiny, ResNet-18, 224 pixels)."""
SEARCH_IMAGES = 16
"""Float32 images that one search holds: its points, gradients, best points, targets, and intermediate results."""
