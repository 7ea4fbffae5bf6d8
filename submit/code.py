"""The code of a run: a zip of the packages that its jobs import."""

import io
import zipfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
"""The folder of this checkout."""
ROOMS = ("alignsec", "jobs", "aggregate")


def build_archive(checkout: Path = CHECKOUT) -> bytes:
    """Return a zip of the rooms that jobs need, for use on PYTHONPATH.

    The zip holds no time stamps and no compiled files. Its bytes, and so the digest in every outcome, depend on
    the code alone.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(path for room in ROOMS for path in (checkout / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                member = zipfile.ZipInfo(path.relative_to(checkout).as_posix())
                member.external_attr = 0o644 << 16
                file.writestr(member, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
