"""What a study asks: attacks, budgets, models, pairs and the letters of verdicts. No torch."""
