"""Access checks of a preflight: whether the schedd accepts this user's jobs, and whether staged files can be read.

Reference: HTCondor manual, "condor_ping"; RFC 9110, section 9.3.2 (HEAD).
"""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

from alignsec.errors import ConfigError
from submit.condor.submission import CondorCommand
from submit.site import Site
from submit.transfer import weights_source
from submit.validation import ValidatedStudy

PING = ("condor_ping", "-type", "SCHEDD", "WRITE")
TIMEOUT_SECONDS = 10.0
"""Longest time without an answer of the server of staged files."""
MOST_FILES = 200
"""Staged files that are asked for. A server that lacks one file of a folder is found by fewer."""
Head = Callable[[str], str]
"""Returns why a URL cannot be read; empty if it can."""


def schedd_errors(run: CondorCommand, site: Site, env: Path) -> list[ConfigError]:
    """Return an error if the schedd does not accept jobs of this user: no schedd, or no valid credential.

    Args:
        run: Runs a command of HTCondor.
        site: The site's settings.
        env: The `.env` file.
    """
    done = run(list(PING), check=False)
    if done.returncode == 0:
        return []
    reason = " ".join((done.stderr or done.stdout).split())[:300] or f"condor_ping ended with {done.returncode}"
    remedy = (
        f"the schedd accepts no jobs of this user: {reason}; log in to the access point, or renew your credential"
    )
    return [ConfigError(path=env, field="SITE", given=f'"{site.site}"', remedy=remedy)]


def staged_errors(
    validated: ValidatedStudy, site: Site, env: Path, weights: Path, head: Head | None = None
) -> list[ConfigError]:
    """Return an error for staged weights that jobs could not download over https.

    Only https can be asked from any machine. Other staging areas are folders, which the validation reads.

    Args:
        validated: The study.
        site: The site's settings.
        env: The `.env` file.
        weights: The site's folder of staged weights.
        head: Asks a server for one file; by default over the network.
    """
    asked = list(dict.fromkeys(_staged_urls(validated, site, weights)))[:MOST_FILES]
    errors = []
    for url in asked:
        if reason := (head or _head)(url):
            remedy = (
                f"has no {url.rpartition('/')[2]} that jobs can download: {reason}; copy the folder WEIGHTS there"
            )
            given = f'"{site.weights_url}"'
            errors.append(ConfigError(path=env, field="WEIGHTS_URL", given=given, remedy=remedy))
    return errors


def _staged_urls(validated: ValidatedStudy, site: Site, weights: Path) -> Iterator[str]:
    for found in validated.weights.values():
        source = weights_source(found.path, "", site, weights)
        if source.startswith(("https://", "http://")):
            yield quote(source, safe="/:@%~+")


def _head(url: str) -> str:
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - https or http, see _staged_urls
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
            return ""
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
