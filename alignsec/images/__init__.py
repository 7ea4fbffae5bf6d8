"""Image files: packs of chosen images, sets of corrupted images, ImageNet's classes. No torch."""
