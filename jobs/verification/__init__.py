"""Verification of adversarial examples and clean verdicts, without the attack engine."""
