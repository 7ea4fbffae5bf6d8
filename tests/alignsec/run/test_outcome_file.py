"""Outcome files: reading returns what was written, or the file is reported as damaged."""

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
    """Generate records of 1 to 6 images at 1 to 3 budgets; an image is wrong when clean at all budgets or at
    none."""
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
def test_a_record_is_equal_after_writing_and_reading(what: Record):
    assert outcome_file.parse(outcome_file.dump(what)) == what


@given(records())
def test_a_summary_lacks_only_steps_and_distances(what: Record):
    with_searches = []
    for budget in what.budgets:
        broken = len(budget.verdicts.translate({ord("R"): None, ord("W"): None}))
        searches = {"broken_at_step": [1] * broken, "broken_at_distance": [0.5] * broken}
        with_searches.append(budget.model_copy(update=searches))
    full = what.model_copy(update={"budgets": with_searches})
    without = [b.model_copy(update={"broken_at_step": [], "broken_at_distance": []}) for b in what.budgets]
    assert outcome_file.parse_summary(outcome_file.dump(full)) == what.model_copy(update={"budgets": without})


@given(texts, texts)
def test_the_summary_of_a_failure_is_complete(reason: str, note: str):
    """Even if its text looks like the removed parts."""
    traceback = f'{note}\n"images": [],\n,"broken_at_step":[1]'
    what = Failure(id="x", pair=None, hopeless=False, reason=reason, traceback=traceback)
    assert outcome_file.parse_summary(outcome_file.dump(what)) == what


@pytest.mark.parametrize("read", [outcome_file.parse, outcome_file.parse_summary])
@pytest.mark.parametrize(
    ("old", "new"), [(b'"RRW"', b'"RRR"'), (b'"a.png"', b'"b.png"'), (b'"classes"', b'"classed"'), (b"]", b"")]
)
def test_an_edit_with_a_valid_checksum_is_rejected(read: Callable[[bytes], object], old: bytes, new: bytes):
    """An image wrong at one budget only, an image listed twice, an unknown field, invalid JSON."""
    data = outcome_file.dump(record(pair(), ["RRW"] * 2, images=["a.png", "b.png", "c.png"], labels=[0, 1, 2]))
    body = data[: data.rindex(b'"checksum"')]
    assert old in body
    with pytest.raises(DamagedOutcomeError):
        read(outcome_file.add_checksum(body.replace(old, new, 1)))


@given(texts, texts, st.booleans())
def test_a_failure_is_equal_after_writing_and_reading(reason: str, traceback: str, hopeless: bool):
    what = Failure(id="x", pair=None, hopeless=hopeless, reason=reason, traceback=traceback, provenance=PROVENANCE)
    assert outcome_file.parse(outcome_file.dump(what)) == what


def test_the_file_contains_its_legend_and_no_rates(tmp_path: Path):
    """Any tool can read the JSON; it holds counts and verdicts, no rates."""
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


def list_paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every leaf of a JSON document."""
    if isinstance(value, dict) and value:
        return [found for key, inner in value.items() for found in list_paths(inner, (*path, key))]
    if isinstance(value, list) and value:
        return [found for index, inner in enumerate(value) for found in list_paths(inner, (*path, index))]
    return [path]


def edit(value: Any) -> Any:
    """Return a different value of the same type."""
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
def test_every_edited_value_is_detected(what: Record | Failure):
    """Edit each value, including the checksum and the schema version."""
    content = json.loads(outcome_file.dump(what))
    paths = list_paths(content)
    assert len(paths) > 30
    for path in paths:
        changed = json.loads(outcome_file.dump(what))
        holder = changed
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = edit(holder[path[-1]])
        with pytest.raises(DamagedOutcomeError, match="changed after it was written"):
            outcome_file.parse(json.dumps(changed).encode())


@pytest.mark.parametrize("change", ["added", "removed"])
def test_an_added_or_removed_key_is_detected(change: str):
    content = json.loads(outcome_file.dump(record(pair())))
    if change == "added":
        content["comment"] = "mine"
    else:
        del content["notes"]
    with pytest.raises(DamagedOutcomeError, match="changed after it was written"):
        outcome_file.parse(json.dumps(content).encode())


def test_a_file_truncated_anywhere_is_damaged():
    """As an interrupted transfer leaves it."""
    data = outcome_file.dump(failure(pair()))
    for length in range(len(data)):
        with pytest.raises(DamagedOutcomeError, match=r"is not valid JSON|has no checksum"):
            outcome_file.parse(data[:length])


@given(st.data())
def test_a_changed_byte_is_detected_anywhere(data: st.DataObject):
    """A flipped bit can turn a digit into another digit."""
    written = outcome_file.dump(failure(pair()))
    place = data.draw(st.integers(0, len(written) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != written[place]))
    with pytest.raises(DamagedOutcomeError):
        outcome_file.parse(written[:place] + bytes([byte]) + written[place + 1 :])


@pytest.mark.parametrize("change", [b"\n", b" ", b"{}", b"\x00" * 100])
def test_bytes_after_the_end_are_detected(change: bytes):
    with pytest.raises(DamagedOutcomeError):
        outcome_file.parse(outcome_file.dump(record(pair())) + change)


def test_the_checksum_is_that_of_the_preceding_lines(tmp_path: Path):
    """It can be checked with head, tail and sha256sum."""
    outcome_file.write(tmp_path / "o.json", record(pair()))
    command = 'head -n -1 "$0" | sha256sum | cut -c 1-64; tail -n 1 "$0"'
    done = subprocess.run(
        ["sh", "-c", command, str(tmp_path / "o.json")], capture_output=True, text=True, check=True, timeout=60
    )
    sum_of_lines, last = done.stdout.splitlines()
    assert last == f'"checksum": "{sum_of_lines}"}}'
    assert json.loads((tmp_path / "o.json").read_bytes())["checksum"] == sum_of_lines


def test_each_field_is_on_its_own_line():
    """A person can read the file, and compare two files line by line."""
    what = record(pair())
    lines = outcome_file.dump(what).decode().splitlines()
    names = [line.partition(":")[0] for line in lines[1:]]
    fields = [name for name in Record.model_fields if name != "examples"]  # absent without kept examples
    assert names == [f'"{name}"' for name in (*fields, "checksum")]


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
def test_other_content_is_damaged(data: bytes):
    with pytest.raises(DamagedOutcomeError):
        outcome_file.parse(data)


def dump_with_checksum(content: dict[str, Any]) -> bytes:
    """Return an outcome file with a valid checksum, as another version or a forger writes it."""
    return outcome_file.add_checksum(json.dumps(content).encode().removesuffix(b"}") + b",\n")


def test_a_later_schema_version_is_rejected():
    content = json.loads(outcome_file.dump(failure(pair())))
    del content["checksum"]
    with pytest.raises(DamagedOutcomeError, match=r"another layout than version 2: failed\.schema_version"):
        outcome_file.parse(dump_with_checksum({**content, "schema_version": 3}))


def test_nan_is_rejected_anywhere():
    """Also in the options of a model, which accept any other value."""
    written = outcome_file.dump(record(pair())).splitlines(keepends=True)[:-1]
    changed = b"".join(written).replace(b'"depth":1', b'"depth":NaN')
    assert changed != b"".join(written)
    with pytest.raises(DamagedOutcomeError, match="has another layout"):
        outcome_file.parse(outcome_file.add_checksum(changed))


def test_a_file_of_version_1_is_reported_as_such():
    """Its checksum covers the values; a valid one distinguishes it from an edited file."""
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
def test_a_valid_checksum_is_not_enough(body: bytes):
    with pytest.raises(DamagedOutcomeError, match="has another layout than version 2"):
        outcome_file.parse(outcome_file.add_checksum(body))


def test_the_id_of_another_pair_is_rejected():
    """A record copied to another name, with a new checksum."""
    content = json.loads(outcome_file.dump(record(pair())))
    del content["checksum"]
    with pytest.raises(DamagedOutcomeError, match="is not that of the pair"):
        outcome_file.parse(dump_with_checksum({**content, "id": pair(seed=1).id}))


def test_a_missing_file_raises_file_not_found(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        outcome_file.read(tmp_path / "none.json")
