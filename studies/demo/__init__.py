"""Makes what a user of alignsec brings to the demo study: images, weights and alignment scores."""
