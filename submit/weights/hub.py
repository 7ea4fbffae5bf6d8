"""The model hub: which file of a repository contains the weights, its size and its digest.

The hub's own library answers this. `Download` transfers the file, because huggingface_hub 2.4 restarts a file from
the beginning after an interruption.
"""

import re
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

from alignsec import limits
from alignsec.catalogue.hub_cache import FILENAMES
from alignsec.schema import SHA256_PATTERN
from submit.weights.download import RemoteFile
from submit.weights.response import MALFORMED, raise_for_status
from submit.weights.retry import DownloadError, RetryPolicy, TemporaryError


def find_weights_file(repository: str, retry: RetryPolicy, endpoint: str | None = None) -> RemoteFile:
    """Return the weights file of a repository's main branch, at its present commit.

    Args:
        repository: The repository, such as `timm/resnet50.a1_in1k`.
        retry: How to retry after temporary errors.
        endpoint: The hub's URL; None uses HF_ENDPOINT, which the hub's library reads itself.

    Raises:
        DownloadError: The repository or its weights are not available.
    """
    for name in FILENAMES:
        url = hf_hub_url(repository, name, endpoint=endpoint)
        metadata = retry.call(urlsplit(url).netloc, partial(_read_metadata, url, endpoint))
        if metadata is None:
            continue
        commit, etag = metadata.commit_hash or "", metadata.etag or ""
        if not re.fullmatch(r"[0-9a-f]{40}", commit) or not etag:
            raise DownloadError(f"{url} is not answered by a model hub; check HF_ENDPOINT")
        if metadata.size is not None and not 0 < metadata.size <= limits.WEIGHTS_BYTES:
            raise DownloadError(f"{url} states {metadata.size:,} bytes; the limit is {limits.WEIGHTS_BYTES:,}")
        # The ETag of a file in Git LFS is its SHA-256; that of a small file is Git's digest, which has 40 digits.
        sha256 = etag if re.fullmatch(SHA256_PATTERN, etag) else ""
        at_commit = hf_hub_url(repository, name, revision=commit, endpoint=endpoint)
        headers = {"Authorization": f"Bearer {token}"} if (token := get_token()) else {}
        return RemoteFile(at_commit, name, metadata.size, sha256, commit, headers)
    raise DownloadError(f"{repository} has none of {', '.join(FILENAMES)} on the hub")


def _read_metadata(url: str, endpoint: str | None) -> HfFileMetadata | None:
    """Return the hub's record of a file, or None if the repository has no such file."""
    try:
        return get_hf_file_metadata(url, endpoint=endpoint)
    except RemoteEntryNotFoundError:
        return None
    except GatedRepoError:
        raise DownloadError(f"{url} is gated; accept its terms on the hub and set HF_TOKEN") from None
    except RepositoryNotFoundError:
        raise DownloadError(f"{url} not found, or private; check the name, or set HF_TOKEN") from None
    except OfflineModeIsEnabled:
        raise DownloadError("HF_HUB_OFFLINE is set, so the hub cannot be used; unset it") from None
    except HfHubHTTPError as error:
        raise_for_status(url, error.response.status_code, error.response.headers)
        raise DownloadError(f"{url}: {error}") from error
    except FileMetadataError as error:
        raise DownloadError(f"{url} is not answered by a model hub ({error}); check HF_ENDPOINT") from error
    except httpx2.TransportError as error:
        raise TemporaryError(f"no connection: {error}", unreachable=True) from error
    # The library computes with headers and redirects of the server, and does not catch what that raises.
    except (*MALFORMED, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise DownloadError(f"{url}: the answer cannot be used: {error}; check HF_ENDPOINT") from error
