"""The code that travels with a run: a zip of the rooms that jobs need, as they are at submission."""

import io
import zipfile
from pathlib import Path

ROOMS = ("alignsec", "jobs", "aggregate")
CHECKOUT = Path(__file__).resolve().parent.parent


def archive(house: Path = CHECKOUT) -> bytes:
    """The zip's bytes, which go on PYTHONPATH as they are.

    No times and no compiled files: the bytes, and so the digest in every outcome, depend on the code alone.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(path for room in ROOMS for path in (house / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                member = zipfile.ZipInfo(path.relative_to(house).as_posix())
                member.external_attr = 0o644 << 16
                file.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
