"""Addresses of published weights. An address is one line of text and the key of a file in the manifest."""

import re
from urllib.parse import urlsplit

from alignsec.catalogue import brainscore
from alignsec.study.models import StudyModel

HUB = "hub:"
PLUGIN = brainscore.SCHEME

_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[a-z.]+$")
"""PyTorch's hub puts the first digits of a file's SHA-256 into its name (torch.hub.load_state_dict_from_url)."""


def weights_address(model: StudyModel) -> str:
    """Return the address of a model's published weights.

    Returns:
        `hub:` and a repository, `brainscore:` and a name, or an HTTP(S) URL. Empty if the user provides the
        weights or their address is unknown.
    """
    if model.weights is not None:
        return ""
    info = model.info
    return f"{HUB}{info.hub}" if info.hub else info.url


def digest_in_name(url: str) -> str:
    """Return the first digits of a file's SHA-256 from its name; empty if there are none or only a date."""
    found = _DIGEST_IN_NAME.search(urlsplit(url).path)
    return found[1] if found and not found[1].isdigit() else ""
