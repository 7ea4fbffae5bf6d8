"""Models: builds the networks of each source in a job and prepares their images. Only `errors` needs no torch."""
