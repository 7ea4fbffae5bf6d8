"""The error for a model that another machine could not build or use either."""


class BadModel(Exception):
    """The model cannot be built, its weights do not fit it, or it gives no usable logits."""
