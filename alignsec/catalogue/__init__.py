"""Sources: where models come from, and what is known of each before it is built. Nothing here needs torch."""
