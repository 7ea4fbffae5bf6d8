"""Brain-Score's registry: which folder of its package registers which names, read and never imported."""
