"""Records that are recognised by their beginning and their checksum, without validation of their content."""

import json

from alignsec.run import outcome_file
from alignsec.run.outcome import VERSION


def is_record_of(data: bytes, pair_id: str, code_sha256: str) -> bool:
    """Return whether the bytes are the complete record of a pair, written by a version of the code.

    Nothing else of the content is validated. Failures and files of other versions give False.
    """
    beginning = f'{{\n"status": "ok",\n"schema_version": {VERSION},\n"id": {json.dumps(pair_id)},\n'
    provenance = f'\n"provenance": {{"code":"{code_sha256}"'
    body = data[: -outcome_file.CHECKSUM_BYTES]
    return (
        data.startswith(beginning.encode())
        and provenance.encode() in body
        and outcome_file.add_checksum(body) == data
    )
