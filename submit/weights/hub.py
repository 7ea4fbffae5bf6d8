"""The model hub: which file of a repository holds the weights, its size and digest, asked through its own library.

The bytes themselves are fetched by our own Download: huggingface_hub 2.4 begins a file anew after an interruption.
"""

from functools import partial
from urllib.parse import urlsplit

import httpx2
from huggingface_hub import get_hf_file_metadata, get_token, hf_hub_url
from huggingface_hub.errors import (
    FileMetadataError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import HfFileMetadata

from alignsec.catalogue.hub_cache import FILENAMES
from submit.weights.download import Remote
from submit.weights.response import refuse_status
from submit.weights.retry import Failed, Later, Patience

_SHA256_DIGITS = 64


def find(repository: str, patience: Patience, endpoint: str | None = None) -> Remote:
    """The weights file of a repository's main branch, at the commit it stands at now.

    endpoint: the hub's address; None: HF_ENDPOINT, which the hub's library reads itself. Raises Failed.
    """
    for name in FILENAMES:
        url = hf_hub_url(repository, name, endpoint=endpoint)
        if (told := patience.insist(urlsplit(url).netloc, partial(_ask, url, endpoint))) is None:
            continue
        if told.commit_hash is None or told.etag is None:
            raise Failed(f"{url} is not answered by a model hub; check HF_ENDPOINT")
        # Files in Git LFS have their SHA-256 as ETag; a small file has Git's own digest, of 40 digits.
        sha256 = told.etag if len(told.etag) == _SHA256_DIGITS else ""
        at_commit = hf_hub_url(repository, name, revision=told.commit_hash, endpoint=endpoint)
        headers = {"Authorization": f"Bearer {token}"} if (token := get_token()) else {}
        return Remote(at_commit, name, told.size, sha256, told.commit_hash, headers)
    raise Failed(f"{repository} has none of {', '.join(FILENAMES)} on the hub")


def _ask(url: str, endpoint: str | None) -> HfFileMetadata | None:
    """The hub's word on a file; None where the repository has no such file. Raises Failed, Later."""
    try:
        return get_hf_file_metadata(url, endpoint=endpoint)
    except RemoteEntryNotFoundError:
        return None
    except GatedRepoError:
        raise Failed(f"{url} is gated; accept its terms on the hub and set HF_TOKEN") from None
    except RepositoryNotFoundError:
        raise Failed(f"{url} is not there, or private; check the name, or set HF_TOKEN") from None
    except OfflineModeIsEnabled:
        raise Failed("HF_HUB_OFFLINE is set, so the hub is not asked") from None
    except HfHubHTTPError as error:
        refuse_status(url, error.response.status_code, error.response.headers)
        raise Failed(f"{url}: {error}") from error
    except FileMetadataError as error:
        raise Failed(f"{url} is not answered by a model hub ({error}); check HF_ENDPOINT") from error
    except httpx2.TransportError as error:
        raise Later(f"no connection: {error}", unreachable=True) from error
