"""The catalogue of model sources and of what is known about a model before it is built. No torch."""
