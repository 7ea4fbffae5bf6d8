"""Outcome files: what is read is what was written, or the file is Damaged."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.outcome import Failure, Record
from alignsec.run.outcome_file import DamagedOutcomeError
from alignsec.spec.verdicts import BudgetVerdicts, Passes, legend
from tests.tiny import PROVENANCE, attack, failure, pair, record

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
finite = st.floats(0, 1e6)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Records of 1 to 6 images at 1 to 3 budgets, wrong when clean at all budgets or at none."""
    eps = draw(st.lists(st.integers(0, 255).map("{}/255".format), min_size=1, max_size=3, unique=True))
    of = pair(name=draw(texts), attack=attack(eps=eps))
    images = draw(st.lists(texts, min_size=1, max_size=6, unique=True))
    wrong = draw(st.lists(st.booleans(), min_size=len(images), max_size=len(images)))
    letter = st.sampled_from("Rctfs")
    budgets = [
        BudgetVerdicts(
            eps=budget,
            verdicts="".join("W" if is_wrong else draw(letter) for is_wrong in wrong),
            largest_distance=draw(finite),
            rejected=draw(st.integers(0, 9)),
            seconds=draw(finite),
            passes={"square": Passes(forward=draw(st.integers(0, 10**9)))},
        )
        for budget in of.attack.budgets
    ]
    labels = draw(st.lists(st.integers(0, 999), min_size=len(images), max_size=len(images)))
    return record(of, ["R" * len(images)] * len(budgets), images=images, labels=labels, budgets=budgets)


@given(records())
def test_a_record_comes_back_equal(what: Record):
    assert outcome_file.parse(outcome_file.dump(what)) == what


@given(records())
def test_a_skimmed_record_lacks_the_searches_alone(what: Record):
    searched = []
    for budget in what.budgets:
        broken = len(budget.verdicts.translate({ord("R"): None, ord("W"): None}))
        many = {"broken_at_step": [1] * broken, "broken_at_distance": [0.5] * broken}
        searched.append(budget.model_copy(update=many))
    full = what.model_copy(update={"budgets": searched})
    bare = [b.model_copy(update={"broken_at_step": [], "broken_at_distance": []}) for b in what.budgets]
    assert outcome_file.parse_summary(outcome_file.dump(full)) == what.model_copy(update={"budgets": bare})


@given(texts, texts)
def test_a_failure_is_skimmed_whole(reason: str, note: str):
    """Whatever its text looks like."""
    tricky = f'{note}\n"images": [],\n,"broken_at_step":[1]'
    what = Failure(id="x", pair=None, hopeless=False, reason=reason, traceback=tricky)
    assert outcome_file.parse_summary(outcome_file.dump(what)) == what


@pytest.mark.parametrize("read", [outcome_file.parse, outcome_file.parse_summary])
@pytest.mark.parametrize(
    ("old", "new"), [(b'"RRW"', b'"RRR"'), (b'"a.png"', b'"b.png"'), (b'"classes"', b'"classed"'), (b"]", b"")]
)
def test_a_resealed_edit_is_refused_by_both(read: Callable[[bytes], object], old: bytes, new: bytes):
    """The checksum fits, the content does not: wrong at one budget alone, an image twice, a strange field."""
    data = outcome_file.dump(record(pair(), ["RRW"] * 2, images=["a.png", "b.png", "c.png"], labels=[0, 1, 2]))
    body = data[: data.rindex(b'"checksum"')]
    assert old in body
    with pytest.raises(DamagedOutcomeError):
        read(outcome_file.add_checksum(body.replace(old, new, 1)))


@given(texts, texts, st.booleans())
def test_a_failure_comes_back_equal(reason: str, traceback: str, hopeless: bool):
    what = Failure(id="x", pair=None, hopeless=hopeless, reason=reason, traceback=traceback, provenance=PROVENANCE)
    assert outcome_file.parse(outcome_file.dump(what)) == what


def test_the_file_explains_itself(tmp_path: Path):
    """JSON that any tool can read: the legend, the counts, no rates."""
    outcome_file.write(tmp_path / "o.json", record(pair()))
    content = json.loads((tmp_path / "o.json").read_text(encoding="utf-8"))
    assert content["legend"] == legend()
    assert set(content) >= {
        "schema_version",
        "id",
        "pair",
        "images",
        "labels",
        "budgets",
        "provenance",
        "checksum",
    }
    assert not [key for key in content if "accuracy" in key or "rate" in key]
    assert content["budgets"][0]["eps"] == "1/255"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a JSON document that holds no others."""
    if isinstance(value, dict) and value:
        return [place for key, inner in value.items() for place in places(inner, (*path, key))]
    if isinstance(value, list) and value:
        return [place for index, inner in enumerate(value) for place in places(inner, (*path, index))]
    return [path]


def edited(value: Any) -> Any:
    """Another value, as an editor in a text file might make it."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value + "x" if value != "R" else "W"
        case None:
            return ""
        case _:
            return 1


@pytest.mark.parametrize("what", [record(pair()), failure(pair())], ids=["record", "failure"])
def test_every_edited_value_is_found(what: Record | Failure):
    """One value after another, the checksum and the schema version among them."""
    content = json.loads(outcome_file.dump(what))
    tried = places(content)
    assert len(tried) > 30
    for path in tried:
        changed = json.loads(outcome_file.dump(what))
        holder = changed
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = edited(holder[path[-1]])
        with pytest.raises(DamagedOutcomeError, match="changed after it was written"):
            outcome_file.parse(json.dumps(changed).encode())


@pytest.mark.parametrize("change", ["added", "removed"])
def test_a_key_more_or_less_is_found(change: str):
    content = json.loads(outcome_file.dump(record(pair())))
    if change == "added":
        content["comment"] = "mine"
    else:
        del content["notes"]
    with pytest.raises(DamagedOutcomeError, match="changed after it was written"):
        outcome_file.parse(json.dumps(content).encode())


def test_a_file_cut_short_anywhere_is_damaged():
    """As a transfer leaves it."""
    data = outcome_file.dump(failure(pair()))
    for length in range(len(data)):
        with pytest.raises(DamagedOutcomeError, match=r"is not JSON|has no checksum"):
            outcome_file.parse(data[:length])


@given(st.data())
def test_a_changed_byte_is_found_wherever_it_is(data: st.DataObject):
    """A bit that flips between a digit and another must not be believed."""
    written = outcome_file.dump(failure(pair()))
    place = data.draw(st.integers(0, len(written) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != written[place]))
    with pytest.raises(DamagedOutcomeError):
        outcome_file.parse(written[:place] + bytes([byte]) + written[place + 1 :])


@pytest.mark.parametrize("change", [b"\n", b" ", b"{}", b"\x00" * 100])
def test_bytes_behind_the_end_are_found(change: bytes):
    with pytest.raises(DamagedOutcomeError):
        outcome_file.parse(outcome_file.dump(record(pair())) + change)


def test_the_checksum_is_that_of_the_lines_before_it(tmp_path: Path):
    """As the README of a data set would check it, with what every system has."""
    outcome_file.write(tmp_path / "o.json", record(pair()))
    command = 'head -n -1 "$0" | sha256sum | cut -c 1-64; tail -n 1 "$0"'
    done = subprocess.run(
        ["sh", "-c", command, str(tmp_path / "o.json")], capture_output=True, text=True, check=True, timeout=60
    )
    sum_of_lines, last = done.stdout.splitlines()
    assert last == f'"checksum": "{sum_of_lines}"}}'
    assert json.loads((tmp_path / "o.json").read_bytes())["checksum"] == sum_of_lines


def test_a_field_stands_on_a_line_of_its_own():
    """So that a person can read the file, and compare two of them line by line."""
    what = record(pair())
    lines = outcome_file.dump(what).decode().splitlines()
    names = [line.partition(":")[0] for line in lines[1:]]
    assert names == [f'"{name}"' for name in (*Record.model_fields, "checksum")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 100,
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"checksum": 1}',
        b'{"seconds": 1e999, "checksum": "x"}',
        b'{"seconds": NaN, "checksum": "x"}',
        b'{"seconds": Infinity, "checksum": "x"}',
        b'{"reason": "\\ud800", "checksum": "x"}',
        b'{"a":' * 100_000,
        b"<!DOCTYPE html><html></html>",
    ],
    ids=lambda data: data[:24].decode(errors="replace"),
)
def test_what_is_no_outcome_is_damaged(data: bytes):
    with pytest.raises(DamagedOutcomeError):
        outcome_file.parse(data)


def signed(content: dict[str, Any]) -> bytes:
    """An outcome file with a checksum that fits: by another version, or by somebody who can compute one."""
    return outcome_file.add_checksum(json.dumps(content).encode().removesuffix(b"}") + b",\n")


def test_a_later_schema_is_refused_by_name():
    content = json.loads(outcome_file.dump(failure(pair())))
    del content["checksum"]
    with pytest.raises(DamagedOutcomeError, match=r"another layout than version 2: failed\.schema_version"):
        outcome_file.parse(signed({**content, "schema_version": 3}))


def test_a_number_that_json_has_not_is_refused_wherever_it_stands():
    """Also among the options of a model, which may hold anything else."""
    written = outcome_file.dump(record(pair())).splitlines(keepends=True)[:-1]
    changed = b"".join(written).replace(b'"depth":1', b'"depth":NaN')
    assert changed != b"".join(written)
    with pytest.raises(DamagedOutcomeError, match="has another layout"):
        outcome_file.parse(outcome_file.add_checksum(changed))


def test_a_file_of_version_1_is_called_that():
    """Its checksum was over its values: one that fits tells it from a file that somebody edited."""
    content = json.loads(outcome_file.dump(record(pair())))
    content = {**content, "schema_version": 1}
    del content["checksum"]
    first = {**content, "checksum": digest.sha256_of_json(content)}
    with pytest.raises(
        DamagedOutcomeError, match=r"is of version 1, and this code reads version 2: .* submit the study again"
    ):
        outcome_file.parse(json.dumps(first).encode())
    with pytest.raises(DamagedOutcomeError, match="changed after it was written"):
        outcome_file.parse(json.dumps({**first, "classes": 6}).encode())


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1,\n", b'{"status": "ok",\n', b'{"seconds": NaN,\n', b"\xff", b'{"a":' * 10_000]
)
def test_a_checksum_alone_makes_no_outcome(body: bytes):
    with pytest.raises(DamagedOutcomeError, match="has another layout than version 2"):
        outcome_file.parse(outcome_file.add_checksum(body))


def test_another_pairs_id_is_refused():
    """A record copied under another name, with its checksum made to fit."""
    content = json.loads(outcome_file.dump(record(pair())))
    del content["checksum"]
    with pytest.raises(DamagedOutcomeError, match="is not that of the pair it holds"):
        outcome_file.parse(signed({**content, "id": pair(seed=1).id}))


def test_reading_a_missing_file_is_the_systems_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        outcome_file.read(tmp_path / "none.json")
