"""Addresses: where a model's weights are published, as one line of text that names them in the manifest."""

import re
from urllib.parse import urlsplit

from alignsec.catalogue import brainscore
from alignsec.study.models import StudyModel

HUB = "hub:"
PLUGIN = brainscore.SCHEME

_NAMED_DIGEST = re.compile(r"-([0-9a-f]{8,64})\.[a-z.]+$")
"""PyTorch's hub names files by the first digits of their SHA-256 (torch.hub.load_state_dict_from_url)."""


def weights_address(model: StudyModel) -> str:
    """`hub:` and a repository, `brainscore:` and a name, or an http(s) address; empty where the weights are the
    user's own or unknown."""
    if model.weights is not None:
        return ""
    info = model.info
    return f"{HUB}{info.hub}" if info.hub else info.url


def named_digest(url: str) -> str:
    """The digits of a file's SHA-256 that its name tells; empty where it tells none, or only a date."""
    found = _NAMED_DIGEST.search(urlsplit(url).path)
    return found[1] if found and not found[1].isdigit() else ""
