"""Sites: the rules of each pool, as one TOML file per site, and the checks of settings against them."""
