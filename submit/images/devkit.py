"""ImageNet's devkit (ILSVRC2012_devkit_t12): the validation images' classes, by numbers of its own."""

import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from alignsec.errors import ConfigErrors
from alignsec.images import imagenet

META = "meta.mat"
_COMPRESSED, _MATRIX = 15, 14
_TYPES = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}


def ground_truth(path: Path, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each validation image's name and its class's WordNet id, from a file with a line an image in their order.

    A line is a WordNet id, or the devkit's ILSVRC2012_ID from 1, which is another order than that of the labels:
    what each means stands in meta.mat beside it. Raises Mistakes where that is not there or cannot be read.
    """
    wordnet = lines if lines[0].startswith("n") else _translated(path, lines)
    for number, label in enumerate(wordnet, start=1):
        yield imagenet.validation_name(number), label


def _translated(path: Path, lines: Sequence[str]) -> list[str]:
    meta = path.with_name(META)
    try:
        names = synsets(meta.read_bytes())
    except OSError:
        remedy = f"holds ILSVRC2012_IDs, which are no labels; keep the devkit's {META}, which says them, beside it"
        raise ConfigErrors.about(path, remedy) from None
    except (ValueError, struct.error, zlib.error, UnicodeDecodeError, KeyError, IndexError) as error:
        remedy = f"is not the devkit's table of classes ({error}); unpack ILSVRC2012_devkit_t12.tar.gz again"
        raise ConfigErrors.about(meta, remedy) from None
    return [names.get(int(line), f"ILSVRC2012_ID {line}") if line.isdigit() else line for line in lines]


def synsets(data: bytes) -> dict[int, str]:
    """The WordNet id of each ILSVRC2012_ID, from the struct array `synsets` of meta.mat.

    MAT-files of level 5, as MathWorks documents them ("MAT-File Format", R2024a, chapter 1). SciPy reads them too,
    but an access point has none. Raises ValueError, struct.error or zlib.error for other bytes.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise ValueError("no MAT-file of level 5")
    for kind, body in _elements(data[128:], order):
        if kind == _MATRIX and (found := _struct(body, order)):
            return found
    raise ValueError("it holds no structs with ILSVRC2012_ID and WNID")


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of each data element; compressed ones are opened."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:  # a small element: size and type share four bytes, four bytes of content follow
            kind, size, start, after = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        else:
            start = at + 8
            after = start + size + (0 if kind == _COMPRESSED else -size % 8)
        content = data[start : start + size]
        if len(content) < size:
            raise ValueError("it ends too early")
        if kind == _COMPRESSED:
            yield from _elements(zlib.decompress(content), order)
        else:
            yield kind, content
        at = after


def _struct(body: bytes, order: str) -> dict[int, str] | None:
    """What a struct array says, None for a matrix of another kind or with other fields."""
    parts = [content for _, content in _elements(body, order)]
    if len(parts) < 5 or struct.unpack_from(f"{order}I", parts[0])[0] & 0xFF != 2:
        return None
    (width,) = struct.unpack_from(f"{order}I", parts[3])
    names = [parts[4][at : at + width].split(b"\0")[0].decode() for at in range(0, len(parts[4]), width)]
    if not {"ILSVRC2012_ID", "WNID"} <= set(names):
        return None
    values = parts[5:]
    rows = (values[at : at + len(names)] for at in range(0, len(values), len(names)))
    number, wordnet = names.index("ILSVRC2012_ID"), names.index("WNID")
    return {int(_numbers(row[number], order)[0]): _text(row[wordnet], order) for row in rows}


def _numbers(matrix: bytes, order: str) -> tuple[float, ...]:
    """The values of a matrix of numbers, stored in the smallest type that holds them."""
    kind, content = list(_elements(matrix, order))[3]
    code = _TYPES[kind]
    return struct.unpack(f"{order}{len(content) // struct.calcsize(code)}{code}", content)


def _text(matrix: bytes, order: str) -> str:
    """The characters of a matrix of text: UTF-8 or two bytes each."""
    kind, content = list(_elements(matrix, order))[3]
    if kind == 4:
        return content.decode("utf-16-le" if order == "<" else "utf-16-be")
    return content.decode()
