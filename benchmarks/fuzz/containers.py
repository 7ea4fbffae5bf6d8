"""Changes inside containers: members of tar and zip archives are changed and packed again with right checksums.

Without them, nearly every changed archive ends at its first checksum, and the reader behind it sees nothing.
"""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from random import Random

from alignsec import digest
from alignsec.run import outcome_file
from benchmarks.fuzz.mutation import mutate

_BLOCK = 512
_SHA256_DIGITS = 64
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    RuntimeError,
)
"""Exceptions for an input that is no archive; it is then changed as bytes."""


def edit_tar_headers(data: bytes, random: Random) -> bytes:
    """Change bytes of one header of a tar archive, and repair its checksum."""
    headers = [at for at in range(0, len(data) - _BLOCK + 1, _BLOCK) if data[at + 257 : at + 262] == b"ustar"]
    if not headers:
        return mutate(random, [data])
    at = random.choice(headers)
    header = mutate(random, [data[at : at + _BLOCK]])[:_BLOCK].ljust(_BLOCK, b"\0")
    total = sum(header[:148]) + 8 * 32 + sum(header[156:])
    header = header[:148] + b"%06o\0 " % total + header[156:]
    return data[:at] + header + data[at + _BLOCK :]


def _read_tar(data: bytes) -> list[tuple[tarfile.TarInfo, bytes]]:
    """Return the members of a tar archive with their contents; an empty list if it is damaged."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return [(info, _content(archive, info)) for info in archive]
    except _DAMAGED:
        return []


def edit_tar_members(data: bytes, random: Random) -> bytes:
    """Change the name, the type or the content of one member of a tar archive."""
    members = _read_tar(data)
    if not members:
        return mutate(random, [data])
    at = random.randrange(len(members))
    info, content = members[at]
    choice = random.randrange(6)
    if choice == 0:
        info.name = mutate(random, [info.name.encode(errors="surrogateescape")]).decode("latin-1")[:2000]
    elif choice == 1:
        info.type = random.choice((b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"L", b"S", b"x", b"g", b"\0"))
        info.linkname = random.choice((".", "..", "/etc/passwd", info.name, members[0][0].name))
    elif choice == 2:
        members.insert(random.randrange(len(members) + 1), members[at])
    elif choice == 3:
        names = ("path", "size", "mtime", "linkpath", "GNU.sparse.map", "GNU.sparse.size", "GNU.sparse.major")
        info.pax_headers = {
            random.choice(names): mutate(random, [b"12"]).decode("latin-1").replace("\0", "")[:4000]
        }
    else:
        content = mutate(random, [content])
    members[at] = info, content
    return _write_tar(members, compressed=random.random() < 0.05)


def _content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info) if info.isreg() else None
    return file.read() if file else b""


def _write_tar(members: Sequence[tuple[tarfile.TarInfo, bytes]], *, compressed: bool) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if compressed else "w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def edit_zip_members(data: bytes, random: Random) -> bytes:
    """Change the name or the content of one member of a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except _DAMAGED:
        return mutate(random, [data])
    if not members:
        return mutate(random, [data])
    at = random.randrange(len(members))
    name, content = members[at]
    if random.random() < 0.15:
        name = mutate(random, [name.encode(errors="replace")]).decode("latin-1")[:2000]
    else:
        content = mutate(random, [content])
    members[at] = name, content
    kind = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(out, "w", kind) as archive:
            for each, text in dict(members).items():
                archive.writestr(zipfile.ZipInfo(each), text, kind)
    except _DAMAGED:
        return mutate(random, [data])
    return out.getvalue()


def edit_outcome(data: bytes, random: Random) -> bytes:
    """Change an outcome file and write its checksum again."""
    return outcome_file.add_checksum(mutate(random, [data[: -outcome_file.CHECKSUM_BYTES]]))


def edit_outcomes_archive(data: bytes, random: Random) -> bytes:
    """Change one outcome of an archive, and write its checksum again."""
    members = _read_tar(data)
    if not members:
        return mutate(random, [data])
    at = random.randrange(len(members))
    members[at] = members[at][0], edit_outcome(members[at][1], random)
    return _write_tar(members, compressed=False)


def edit_checkpoint(data: bytes, random: Random) -> bytes:
    """Change a checkpoint and write its checksum again."""
    head, _, body = data.partition(b"\n")
    changed = mutate(random, [body])
    return head[:-_SHA256_DIGITS] + digest.sha256_of_bytes(changed).encode() + b"\n" + changed


def edit_safetensors_header(data: bytes, random: Random) -> bytes:
    """Change the header of a safetensors file, and write its length again."""
    length = int.from_bytes(data[:8], "little")
    header = mutate(random, [data[8 : 8 + length]])
    return len(header).to_bytes(8, "little") + header + data[8 + length :]
