"""Study files that exceed a limit, and the encodings of editors."""

from pathlib import Path

import pytest

from alignsec import limits
from alignsec.errors import ConfigErrors
from alignsec.study.study import Study
from alignsec.study.toml_file import read_tables
from tests.alignsec.study.study_text import GOOD, errors, load, one


def test_a_byte_order_mark_is_ignored(tmp_path: Path):
    """Some editors write one."""
    assert load(tmp_path, f"\ufeff{GOOD}").name == "good"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "latin-1"])
def test_another_encoding_is_an_error(tmp_path: Path, encoding: str):
    data = f'title = "ä"\n{GOOD}'.encode(encoding)
    (tmp_path / "study.toml").write_bytes(b"\xfe\xff" + data if encoding == "utf-16-be" else data)
    with pytest.raises(ConfigErrors, match=r"study\.toml: is not valid TOML"):
        Study.load(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("x = " + "9" * 5000, "is not valid TOML"),
        ("x = 0x" + "f" * 5000, "has an integer of more than 64 bits"),
        (f"x = {2**63}", "has an integer of more than 64 bits"),
        ("x = " + "[" * 40 + "]" * 40, "nested more than 32 levels deep"),
        ("x = " + "[" * 100_000 + "]" * 100_000, "nested more than 32 levels deep"),
        ("x = " + "{a = " * 5_000 + "1" + "}" * 5_000, "nested more than 32 levels deep"),
        (".".join("a" * 10_000) + " = 1", "nested more than 32 levels deep"),
    ],
)
def test_an_excessive_value_is_one_error(tmp_path: Path, line: str, remedy: str):
    (found,) = errors(tmp_path, f"{line}\n{GOOD}")
    assert remedy in found.remedy
    assert len(str(found)) < 400


def test_a_file_above_the_limit_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "STUDY_BYTES", 100)
    with pytest.raises(ConfigErrors, match="is larger than the limit of 100 bytes"):
        load(tmp_path, GOOD)


def test_a_device_is_not_read_without_end():
    with pytest.raises(ConfigErrors, match="is larger than the limit"):
        read_tables(Path("/dev/zero"))


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\u0085", "\u2028", "\ufeff"])
@pytest.mark.parametrize("old", ['name = "resnet"', "seed = 3", 'method = "clean"'])
def test_invisible_characters_in_names_are_refused(tmp_path: Path, character: str, old: str):
    """They change how a terminal or a report shows the text that follows."""
    key = 'title = "a' if old.startswith("seed") else 'name = "a'
    new = f'{key}{character}b"' if old.startswith("name") else f'{old}\n{key}{character}b"'
    found = one(tmp_path, old, new)
    assert "has a control character, such as a line break, or an invisible character" in found.remedy


def test_letters_of_every_script_are_valid(tmp_path: Path):
    assert load(tmp_path, GOOD.replace('"resnet"', '"שלום-مرحبا é 模型 🦈"')).models[0].name.endswith("🦈")
