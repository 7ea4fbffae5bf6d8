"""A study's images: finding them in their source, selecting some, and packing them for the jobs."""
