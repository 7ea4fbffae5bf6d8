"""Seeded changes of bytes: the operations of AFL and libFuzzer that need no coverage.

Reference: M. Zalewski, "Binary fuzzing strategies: what works, what doesn't" (2014).
"""

import re
import struct
from collections.abc import Callable, Sequence
from random import Random

MOST_BYTES = 4_000_000
"""Largest input. A longer one is cut."""
NUMBERS = (0, 1, 2, 16, 127, 128, 255, 256, 4095, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
TEXTS = (
    b"-1", b"0", b"1e999", b"-1e-999", b"1e9999999", b"NaN", b"-inf", b"1/0", b"0/255", b"9" * 25,
    b"9" * 5000, b"0.4%",
    b"null", b"true", b"[]", b"{}", b'""', b"[" * 500, b'{"a":' * 200, b"\0", b"\0" * 600, b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"\\ud800", b"\xe2\x80\xae", b"\x1b[2J", b"\r", b"\r\n", b"\n", b'"', b"'", b",",
    b";", b"\t", b"=",
    b"#", b"../", b"/", b"~", b"$", b"%s", b"{0}", b"...\n", b"=HYPERLINK(1)", b"A" * 70_000,
    b"2026-13-45 99:99:99",
    b"0000-00-00", b"9999-12-31 23:59:59", b"nan%",
)  # fmt: skip
"""Pieces of text at which readers of text failed, here or elsewhere."""
_NUMBER = re.compile(rb"\d+")
Operation = Callable[[bytearray, Random, Sequence[bytes]], None]


def mutate(random: Random, corpus: Sequence[bytes]) -> bytes:
    """Return an input of a corpus after one to some random changes."""
    data = bytearray(random.choice(corpus))
    for _ in range(1 + min(int(random.expovariate(0.6)), 12)):
        random.choice(_OPERATIONS)(data, random, corpus)
    del data[MOST_BYTES:]
    return bytes(data)


def _range(data: bytearray, random: Random) -> tuple[int, int]:
    """Return the ends of a range that is short in most cases."""
    start = random.randint(0, len(data))
    most = len(data) if random.random() < 0.1 else 64
    return start, min(len(data), start + random.randint(1, max(1, most)))


def _flip_bit(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_byte(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice(
            (0, 1, 10, 32, 34, 44, 127, 128, 255, random.randrange(256))
        )


def _set_number(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Overwrite two, four or eight bytes by a number at the edge of a type."""
    size, code = random.choice(((2, "H"), (4, "I"), (8, "Q")))
    if len(data) >= size:
        at = random.randrange(len(data) - size + 1)
        number = random.choice(NUMBERS) % 2 ** (8 * size)
        data[at : at + size] = struct.pack(random.choice("<>") + code, number)


def _change_digits(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Replace a number that is written as text."""
    start, _end = _range(data, random)
    if found := _NUMBER.search(data, start) or _NUMBER.search(data):
        new = random.choice((str(random.choice(NUMBERS)).encode(), random.choice(TEXTS)))
        data[found.start() : found.end()] = new


def _insert_text(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    start, _end = _range(data, random)
    data[start:start] = random.choice(TEXTS)


def _replace_text(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    start, end = _range(data, random)
    data[start:end] = random.choice(TEXTS)


def _insert_random(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    start, _end = _range(data, random)
    data[start:start] = random.randbytes(random.choice((1, 4, 40, 512)))


def _delete(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    start, end = _range(data, random)
    del data[start:end]


def _duplicate(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    start, end = _range(data, random)
    at = random.randint(0, len(data))
    data[at:at] = data[start:end] * random.choice((1, 1, 2, 50))


def _truncate(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    del data[random.randint(0, len(data)) :]


def _clear(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    """Write a block of NUL bytes, as after a full disk."""
    start, end = _range(data, random)
    data[start:end] = bytes(end - start)


def _splice(data: bytearray, random: Random, corpus: Sequence[bytes]) -> None:
    """Replace the end by that of another input."""
    other = random.choice(corpus)
    data[random.randint(0, len(data)) :] = other[random.randint(0, len(other)) :]


def _swap_lines(data: bytearray, random: Random, _: Sequence[bytes]) -> None:
    lines = bytes(data).split(b"\n")
    if len(lines) > 1:
        one, other = random.randrange(len(lines)), random.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
        data[:] = b"\n".join(lines)


_OPERATIONS: tuple[Operation, ...] = (
    _flip_bit, _set_byte, _set_number, _change_digits, _insert_text, _replace_text, _insert_random,
    _delete, _duplicate,
    _truncate, _clear, _splice, _swap_lines,
)  # fmt: skip
