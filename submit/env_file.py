"""Reading of a `.env` file: one line KEY=VALUE for each key."""

import io
from pathlib import Path

from dotenv.parser import parse_stream

from alignsec import bounded, limits
from alignsec.errors import ConfigError, ConfigErrors


def read_settings(path: Path) -> dict[str, str]:
    """Return the values of a `.env` file by key. Variables in values are not expanded.

    Args:
        path: The file. A byte order mark at its beginning is ignored.

    Raises:
        ConfigErrors: The file cannot be read. Or lines are not KEY=VALUE, or keys are given twice, in any case of
            letters; all of these are reported together.
    """
    if not path.is_file():
        remedy = "not found; to restore the default file, run: git checkout .env"
        raise ConfigErrors.about(path, remedy)
    try:
        text = bounded.read_bytes(path, limits.SETTINGS_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigErrors.about(path, f"is not valid UTF-8: {error}") from None
    except bounded.TooLargeError as error:
        raise ConfigErrors.about(path, str(error)) from None
    except OSError as error:
        raise ConfigErrors.about(path, f"cannot be read: {error.strerror}") from None
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    errors = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.line
        if binding.error or (binding.key is not None and binding.value is None):
            given = ascii(binding.original.string.strip()[:40])
            remedy = "is not a setting; write KEY=VALUE, and close quotes on the same line"
            errors.append(ConfigError(path=path, field=f"line {line}", given=given, remedy=remedy))
        elif binding.key is not None and binding.value is not None:
            key = binding.key.upper()
            if key in values:
                remedy = f"is given twice, in lines {lines[key]} and {line}; keep one of them"
                errors.append(ConfigError(path=path, field=key, remedy=remedy))
            values[key], lines[key] = binding.value, line
    if errors:
        raise ConfigErrors(errors)
    return values
