"""Errors of the input: messages and suggestions."""

from alignsec.errors import ConfigError, ConfigErrors, nearest


def test_the_message_has_all_errors():
    errors = [
        ConfigError(path="s.toml", field="seed", given='"x"', remedy="is not a number"),
        ConfigError(path="s.toml", remedy="is empty"),
    ]
    assert str(ConfigErrors(errors)) == 's.toml: seed: "x" is not a number\ns.toml: is empty'


def test_suggestions_of_similar_names():
    assert nearest("resnet5", ["resnet50", "resnet18", "vit"]) == "did you mean resnet50 or resnet18?"
    assert nearest("zzz", ["a", "b"]) == "choose one of a, b"
    assert nearest("zzz", [f"name{n}" for n in range(50)]) == "none of the 50 known names is similar"
