"""Staging: each weights file of a study is downloaded once into the site's folder and named by its digest."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx2

from alignsec import digest
from alignsec.run.job_environment import inherited
from submit.code import CHECKOUT
from submit.digest_cache import DigestCache
from submit.weights import address as addresses
from submit.weights import file_format, hub
from submit.weights.download import TIMEOUT_SECONDS, Download, RemoteFile
from submit.weights.manifest import Manifest, PublishedFile, StagedFile
from submit.weights.response import MALFORMED, create_client
from submit.weights.retry import DownloadError, RetryPolicy

PARTS = ".parts"
"""Folder of incomplete downloads, in the weights folder."""
UNSUITED = 3
"""Exit code of alignsec.models.conversion for a file that must not be converted."""


STRANGE_ANSWERS = (httpx2.HTTPError, *MALFORMED, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
"""Exceptions that a server's answer can cause. They end the download of one file, not those of the others."""


@dataclass(frozen=True)
class FetchResult:
    """The result of staging one address."""

    address: str
    staged: StagedFile | None
    """The staged file; None after a failure."""
    reason: str
    """The reason of the failure; empty if there was none."""


@dataclass
class WeightsStager:
    """Stages published weights in a site's weights folder."""

    folder: Path
    digests: DigestCache
    retry: RetryPolicy
    python: str
    """A Python for conversion: torch files are converted to safetensors if it has torch."""
    environ: Mapping[str, str]
    endpoint: str | None = None
    """The hub's URL; None uses HF_ENDPOINT."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 that the study states for the published file of an address."""
    at_once: int = 4
    """Number of simultaneous downloads."""
    timeout: float = TIMEOUT_SECONDS
    brainscore: str = str(CHECKOUT / ".brainscore" / "bin" / "python")
    """The Python of Brain-Score's environment."""
    on_bytes: Callable[[str, int, int | None], None] = lambda address, done, total: None
    """Called from worker threads with the address, the bytes received, and the bytes of the file or None."""

    def find_missing(self, wanted: Sequence[str]) -> list[str]:
        """Return the addresses whose file is missing in the folder or differs from the manifest."""
        known = Manifest.read(self.folder).weights
        return [one for one in wanted if one not in known or not self._is_valid(one, known[one])]

    def run(self, wanted: Sequence[str]) -> Iterator[FetchResult]:
        """Stage several addresses, and yield each result when it is complete.

        The manifest is written after each file. After an interruption, complete files are kept and incomplete
        downloads resume. The caller must hold the folder's lock.

        Args:
            wanted: The addresses.

        Raises:
            ConfigErrors: The manifest cannot be read.
            OSError: The folder cannot be written.
        """
        (self.folder / PARTS).mkdir(parents=True, exist_ok=True)
        manifest = Manifest.read(self.folder)
        with create_client(self.timeout) as client, ThreadPoolExecutor(self.at_once) as workers:
            futures = {workers.submit(self._fetch, client, address) for address in wanted}
            try:
                while futures:
                    done, futures = wait(futures, return_when=FIRST_COMPLETED)
                    for result in (future.result() for future in done):
                        if result.staged:
                            manifest = manifest.with_file(result.address, result.staged)
                            manifest.write(self.folder)
                            self.digests.record(self.folder / result.staged.file, result.staged.sha256)
                        yield result
            finally:
                self.retry.cancel()
                for future in futures:
                    future.cancel()
        self.digests.save()
        if not any((self.folder / PARTS).iterdir()):
            (self.folder / PARTS).rmdir()

    def _fetch(self, client: httpx2.Client, address: str) -> FetchResult:
        try:
            return FetchResult(address, self._stage(client, address), "")
        except DownloadError as error:
            return FetchResult(address, None, str(error))
        except OSError as error:
            return FetchResult(address, None, f"{error.filename or self.folder}: {error.strerror}")
        except STRANGE_ANSWERS as error:
            reason = f"the server's answer cannot be used: {type(error).__name__}: {error}"
            return FetchResult(address, None, reason)

    def _stage(self, client: httpx2.Client, address: str) -> StagedFile:
        if address.startswith(addresses.PLUGIN):
            return self._stage_plugin(address)
        remote = self._find_remote(address)
        part = self.folder / PARTS / digest.sha256_of_bytes(address.encode())[:16]
        download = Download(client, remote, part, self.retry, partial(self.on_bytes, address))
        published = PublishedFile(
            url=remote.url,
            revision=remote.revision,
            name=remote.name,
            sha256=download.run(),
            bytes=part.stat().st_size,
        )
        detected = file_format.detect_format(part)
        try:
            converted = self._convert(part) if detected == "torch" else None
        except DownloadError:
            download.discard()
            raise
        suffix = ".safetensors" if converted else _suffix(remote.name, detected)
        staged = self._place(converted or part, suffix, published, rewritten=converted is not None)
        download.discard()
        return staged

    def _stage_plugin(self, address: str) -> StagedFile:
        """Stage an archive of the files that a Brain-Score plugin downloads, made in Brain-Score's environment."""
        name = address.removeprefix(addresses.PLUGIN)
        archive = self.folder / PARTS / f"{digest.sha256_of_bytes(address.encode())[:16]}.tar"
        command = [self.brainscore, "-m", "alignsec.models.brainscore_archive", name, str(archive)]
        environ = {**inherited(self.environ, downloads=True), "PYTHONPATH": str(CHECKOUT)}
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        except (FileNotFoundError, PermissionError):
            remedy = f"Brain-Score's environment not found: {self.brainscore}; run make brainscore"
            raise DownloadError(remedy) from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(name)]
            raise DownloadError(f"its plugin failed: {lines[-1].strip() if lines else 'no error message'}")
        sha256, size = digest.sha256_of_file(archive), archive.stat().st_size
        published = PublishedFile(url=address, name=f"{name}.tar", sha256=sha256, bytes=size)
        return self._place(archive, ".tar", published, rewritten=False)

    def _find_remote(self, address: str) -> RemoteFile:
        if address.startswith(addresses.HUB):
            remote = hub.find_weights_file(address.removeprefix(addresses.HUB), self.retry, self.endpoint)
        else:
            name = Path(httpx2.URL(address).path).name
            remote = RemoteFile(address, name, sha256=addresses.digest_in_name(address))
        stated = self.expected.get(address, remote.sha256)
        if not stated.startswith(remote.sha256):
            raise DownloadError(f"{remote.url} has digest {remote.sha256[:12]}, weights_sha256 is {stated[:12]}")
        return replace(remote, sha256=stated)

    def _convert(self, part: Path) -> Path | None:
        """Convert a torch file to safetensors. Return None without torch, or if the file must not be converted."""
        target = part.with_name(f"{part.name}.safetensors")
        command = [self.python, "-m", "alignsec.models.conversion", str(part), str(target)]
        environ = {**inherited(self.environ), "PYTHONPATH": str(CHECKOUT)}
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return target
        except FileNotFoundError:
            return None
        target.unlink(missing_ok=True)
        lines = done.stderr.strip().splitlines()
        if done.returncode == UNSUITED or any("No module named" in line for line in lines[-1:]):
            return None
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        raise DownloadError(
            f"the downloaded file cannot be converted to safetensors, so no job could load it: {reason}"
        )

    def _place(self, path: Path, suffix: str, published: PublishedFile, *, rewritten: bool) -> StagedFile:
        sha256 = digest.sha256_of_file(path) if rewritten else published.sha256
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.chmod(0o644)
        staged = StagedFile(
            file=f"weights-{sha256[:12]}{suffix}",
            sha256=sha256,
            bytes=path.stat().st_size,
            published=published,
            rewritten=rewritten,
            fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        path.replace(self.folder / staged.file)
        return staged

    def _is_valid(self, address: str, staged: StagedFile) -> bool:
        if self.expected.get(address, staged.published.sha256) != staged.published.sha256:
            return False
        path = self.folder / staged.file
        try:
            return path.stat().st_size == staged.bytes and self.digests.sha256_of_file(path) == staged.sha256
        except OSError:
            return False


def _suffix(name: str, detected: file_format.WeightsFormat) -> str:
    """Return the suffix by which loaders recognise the format; the published name's is used only if it fits."""
    ending = Path(name).suffix.lower()
    torch_suffix = ending if re.fullmatch(r"\.(pt|pth|bin|ckpt|tar)", ending) else ".pth"
    return {"safetensors": ".safetensors", "npz": ".npz", "torch": torch_suffix}[detected]
