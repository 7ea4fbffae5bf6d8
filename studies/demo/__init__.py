"""The demo study's inputs: images, trained weights and alignment scores."""
