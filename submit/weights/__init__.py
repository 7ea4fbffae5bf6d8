"""Published weights: downloaded once, verified, and kept in the site's weights folder with a manifest."""
