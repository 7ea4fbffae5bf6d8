"""Digests that a study states for published weights, and a warning about files without one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.study.study import Study
from submit.weights import address
from submit.weights.manifest import StagedFile


def read_digests(path: Path, study: Study, wanted: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """Return the digest that the study states for the file of each address; raise ConfigErrors for two digests."""
    expected: dict[str, str] = {}
    errors = []
    for where, indices in wanted.items():
        for index in indices:
            stated = study.models[index].weights_sha256
            if stated and expected.setdefault(where, stated) != stated:
                remedy = "differs from that of another model with the same weights; correct one of them"
                field = f"models[{index}].weights_sha256"
                errors.append(ConfigError(path=path, field=field, given=f'"{stated}"', remedy=remedy))
    if errors:
        raise ConfigErrors(errors)
    return expected


def warn_unverified(staged: StagedFile, where: str, expected: Mapping[str, str]) -> str:
    """Return a warning about a file that no full digest verified; empty for the hub, which publishes digests."""
    if where in expected or where.startswith((address.HUB, address.PLUGIN)):
        return ""
    digits = len(address.digest_in_name(where))
    extent = f"only by the first {digits} digits of its digest" if digits else "by no digest"
    return (
        f"warning: {where} is verified {extent}; if you trust this file, pin it in the study: "
        f'weights_sha256 = "{staged.published.sha256}"'
    )
