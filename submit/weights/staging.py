"""Staging: the weights that a study wants, each fetched once into the site's folder and named by its digest."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import httpx2

from alignsec import digest
from submit.code import CHECKOUT
from submit.digest_cache import DigestCache
from submit.weights import address as addresses
from submit.weights import file_kind, hub
from submit.weights.download import TIMEOUT_SECONDS, Download, Remote
from submit.weights.manifest import Manifest, PublishedFile, Staged
from submit.weights.retry import Failed, Patience

PARTS = ".parts"
"""Below the weights folder: what is on its way."""
UNSUITED = 3
"""Exit code of alignsec.models.conversion for a file that is to stay as it is."""


@dataclass(frozen=True)
class Fetched:
    """What came of one address."""

    address: str
    staged: Staged | None
    why: str
    """Why there is none; empty where there is."""


@dataclass
class Staging:
    """The weights folder of a site while it is being filled."""

    folder: Path
    digests: DigestCache
    patience: Patience
    python: str
    """A Python that may have torch: with it, torch files are rewritten as safetensors."""
    environ: Mapping[str, str]
    endpoint: str | None = None
    """The hub's; None: HF_ENDPOINT."""
    at_once: int = 4
    timeout: float = TIMEOUT_SECONDS
    brainscore: str = str(CHECKOUT / ".brainscore" / "bin" / "python")
    """The Python of Brain-Score's environment."""
    on_bytes: Callable[[str, int, int | None], None] = lambda address, done, total: None
    """Called from worker threads: address, bytes so far, bytes in all or None."""

    def missing(self, wanted: Sequence[str]) -> list[str]:
        """The addresses whose file is not in the folder, or not as the manifest tells."""
        known = Manifest.read(self.folder).weights
        return [one for one in wanted if one not in known or not self._is_whole(known[one])]

    def run(self, wanted: Sequence[str]) -> Iterator[Fetched]:
        """Fetch some addresses, a few at a time, yielding each as it ends.

        The manifest is written after each, so an interruption loses only what was on its way, and that is resumed
        next time. Whoever calls holds the folder's lock. Raises Mistakes for a manifest of another version,
        OSError if the folder cannot be written.
        """
        (self.folder / PARTS).mkdir(parents=True, exist_ok=True)
        manifest = Manifest.read(self.folder)
        timeout = httpx2.Timeout(self.timeout)
        with (
            httpx2.Client(follow_redirects=True, timeout=timeout) as client,
            ThreadPoolExecutor(self.at_once) as workers,
        ):
            futures = {workers.submit(self._one, client, one) for one in wanted}
            try:
                while futures:
                    done, futures = wait(futures, return_when=FIRST_COMPLETED)
                    for fetched in (future.result() for future in done):
                        if fetched.staged:
                            manifest = manifest.with_one(fetched.address, fetched.staged)
                            manifest.write(self.folder)
                            self.digests.know(self.folder / fetched.staged.file, fetched.staged.sha256)
                        yield fetched
            finally:
                self.patience.stop()
                for future in futures:
                    future.cancel()
        self.digests.keep()
        if not any((self.folder / PARTS).iterdir()):
            (self.folder / PARTS).rmdir()

    def _one(self, client: httpx2.Client, address: str) -> Fetched:
        try:
            return Fetched(address, self._fetch(client, address), "")
        except Failed as failed:
            return Fetched(address, None, str(failed))
        except OSError as error:
            return Fetched(address, None, f"{error.filename or self.folder}: {error.strerror}")

    def _fetch(self, client: httpx2.Client, address: str) -> Staged:
        if address.startswith(addresses.PLUGIN):
            return self._packed(address)
        remote = self._remote(address)
        part = self.folder / PARTS / digest.sha256_of_bytes(address.encode())[:16]
        download = Download(client, remote, part, self.patience, partial(self.on_bytes, address))
        published = PublishedFile(
            url=remote.url,
            revision=remote.revision,
            name=remote.name,
            sha256=download.run(),
            bytes=part.stat().st_size,
        )
        kind = file_kind.kind(part)
        try:
            rewritten = self._rewritten(part) if kind == "torch" else None
        except Failed:
            download.forget()
            raise
        suffix = ".safetensors" if rewritten else _suffix(remote.name, kind)
        staged = self._place(rewritten or part, suffix, published, rewritten=rewritten is not None)
        download.forget()
        return staged

    def _packed(self, address: str) -> Staged:
        """An archive of what a Brain-Score plugin fetches, packed in the environment that has it."""
        name = address.removeprefix(addresses.PLUGIN)
        archive = self.folder / PARTS / f"{digest.sha256_of_bytes(address.encode())[:16]}.tar"
        command = [self.brainscore, "-m", "alignsec.models.brainscore_archive", name, str(archive)]
        environ = {**self.environ, "PYTHONPATH": str(CHECKOUT)}
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        except (FileNotFoundError, PermissionError):
            raise Failed(f"needs Brain-Score's environment, {self.brainscore}; make brainscore makes it") from None
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(name)]
            raise Failed(f"its plugin could not be built: {said[-1].strip() if said else 'it said nothing'}")
        sha256, size = digest.sha256_of_file(archive), archive.stat().st_size
        published = PublishedFile(url=address, name=f"{name}.tar", sha256=sha256, bytes=size)
        return self._place(archive, ".tar", published, rewritten=False)

    def _remote(self, address: str) -> Remote:
        if address.startswith(addresses.HUB):
            return hub.find(address.removeprefix(addresses.HUB), self.patience, self.endpoint)
        name = Path(httpx2.URL(address).path).name
        return Remote(address, name, sha256=addresses.named_digest(address))

    def _rewritten(self, part: Path) -> Path | None:
        """The same tensors as safetensors; None where there is no torch here, or the file is to stay as it is."""
        target = part.with_name(f"{part.name}.safetensors")
        command = [self.python, "-m", "alignsec.models.conversion", str(part), str(target)]
        environ = {**self.environ, "PYTHONPATH": str(CHECKOUT)}
        try:
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return target
        except FileNotFoundError:
            return None
        target.unlink(missing_ok=True)
        said = done.stderr.strip().splitlines()
        if done.returncode == UNSUITED or any("No module named" in line for line in said[-1:]):
            return None
        why = said[-1] if said else f"exit code {done.returncode}"
        raise Failed(f"what came could not be rewritten as safetensors, so no job could read it: {why}")

    def _place(self, path: Path, suffix: str, published: PublishedFile, *, rewritten: bool) -> Staged:
        sha256 = digest.sha256_of_file(path) if rewritten else published.sha256
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.chmod(0o644)
        staged = Staged(
            file=f"weights-{sha256[:12]}{suffix}",
            sha256=sha256,
            bytes=path.stat().st_size,
            published=published,
            rewritten=rewritten,
            fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        path.replace(self.folder / staged.file)
        return staged

    def _is_whole(self, staged: Staged) -> bool:
        path = self.folder / staged.file
        try:
            return path.stat().st_size == staged.bytes and self.digests.sha256_of_file(path) == staged.sha256
        except OSError:
            return False


def _suffix(name: str, kind: file_kind.Kind) -> str:
    """An ending by which loaders know the kind; a published name that has another one is not believed."""
    ending = Path(name).suffix.lower()
    torchs = ending if re.fullmatch(r"\.(pt|pth|bin|ckpt|tar)", ending) else ".pth"
    return {"safetensors": ".safetensors", "npz": ".npz", "torch": torchs}[kind]
