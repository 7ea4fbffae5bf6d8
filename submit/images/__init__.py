"""Images: found wherever a study says they are, chosen, and packed."""
