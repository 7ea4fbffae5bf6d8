"""alignsec: studies of alignment and adversarial robustness. The library that all other folders may import."""
