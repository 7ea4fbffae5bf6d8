"""Tiny studies that are written and submitted on a real pool as `make submit` does."""

import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.models import classifier, images
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.plan import Plan
from alignsec.spec.pair import File, PairModel
from alignsec.spec.preprocessing import Preprocessing
from submit import layout, validation
from submit.condor import submission
from submit.monitor.run_status import RunMonitor, RunStatus
from submit.pool.pool import Pool
from submit.requests import requests
from submit.requests.measurements import Measurements
from submit.site import Site
from tests.paths import CHECKOUT
from tests.tiny import GREY, OPTIONS, SOURCE, write_image

WAIT_SECONDS = 200
"""Several times the duration of a run, because other tests may keep the machine busy."""
IMAGES = 4


def toml(value: object) -> str:
    """Return a value as an inline TOML table, list, string or number."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    # A JSON string is a TOML string.
    return json.dumps(value) if isinstance(value, str) else str(value)


@dataclass
class TinyRun:
    """A study of tiny models in its own folder, and the pool on which it runs."""

    folder: Path
    pool: Pool
    models: tuple[str, ...] = ("one",)
    attacks: tuple[str, ...] = ('method = "clean"',)
    seed: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(IMAGES):
            write_image(self.folder / "images" / f"{number}.png", seed=number)
        for number, model in enumerate(self.models):
            self.write_weights(model, number)
        rows = "".join(f"{n}.png,{label}\n" for n, label in enumerate(self._predicted()))
        (self.folder / "labels.csv").write_text("file,label\n" + rows)

    @property
    def run(self) -> RunFolder:
        """The run folder."""
        return RunFolder(self.folder / "runs" / "tiny")

    def write_weights(self, model: str, seed: int) -> Path:
        """Write a file of random weights."""
        torch.manual_seed(seed)
        path = self.folder / f"{model}.safetensors"
        save_file(timm.create_model("vit_tiny_patch16_224", **OPTIONS).state_dict(), path)
        return path

    def _predicted(self) -> list[int]:
        """Return the first model's predictions as labels, so that the attacks have correct images to attack."""
        names = [f"{number}.png" for number in range(IMAGES)]
        unlabelled = [Candidate(name, 0, self.folder / "images" / name) for name in names]
        pack = image_pack.write_pack(unlabelled, self.folder)
        preprocessing = Preprocessing(**GREY)
        weights = File(name=f"{self.models[0]}.safetensors", sha256="0" * 64)
        model = PairModel(name="m", source=SOURCE, options=OPTIONS, weights=weights, preprocessing=preprocessing)
        loaded = classifier.load(model, self.folder, torch.device("cpu"))
        pixels = images.load_images(self.folder / pack.name, pack.sha256, preprocessing).pixels[:]
        answers: list[int] = loaded(pixels).argmax(1).tolist()
        return answers

    def site(self, **overrides: object) -> Site:
        """Return the default site with this folder's runs and the given keys."""
        keys = {"RUNS": self.folder / "runs", "PYTHON": sys.executable, **overrides}
        return Site.read(CHECKOUT / ".env", {key: str(value) for key, value in keys.items()})

    def write_study(self) -> Path:
        """Write the study file."""
        lines = ['name = "tiny"', f"seed = {self.seed}", "[images]", 'folder = "images"', 'labels = "labels.csv"']
        for model in self.models:
            lines += ["[[models]]", f"name = {toml(model)}", f"source = {toml(SOURCE)}"]
            lines += [f"weights = {toml(model + '.safetensors')}", f"options = {toml(OPTIONS)}"]
            lines += [f"preprocessing = {toml(GREY)}"]
        for attack in self.attacks:
            lines += ["[[attacks]]", attack]
        path = self.folder / "tiny.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def write(self, site: Site) -> Plan:
        """Validate the study and write the run folder and the DAG."""
        plan = layout.write_run_folder(validation.validate(self.write_study(), self.folder / "hub"), self.run)
        asked = requests.request_resources(plan, self.run, site, site.weights, Measurements([]))
        submission.write_dag(self.run, plan, site, asked, submission.find_finished_pairs(self.run, plan))
        return plan

    def submit(self, **overrides: object) -> int:
        """Submit the study as `make submit` does and return DAGMan's cluster id."""
        self.write(self.site(**overrides))
        return submission.submit_dag(self.run, self.pool.run)

    def wait_for(self, state: str, seconds: float = WAIT_SECONDS) -> RunStatus:
        """Wait until a pair has the given state or, for "ended", until the DAG has ended."""
        monitor, deadline = RunMonitor(self.run), time.monotonic() + seconds
        while True:
            now = monitor.read()
            if now.ended if state == "ended" else now.counts[state]:
                return now
            assert time.monotonic() < deadline, f"not {state} after {seconds} s: {now}\n{self.dagman_log()}"
            time.sleep(0.2)

    def wait_for_output(self, pair_id: str, text: str) -> None:
        """Wait until a running job has printed a text; its output is streamed."""
        out, deadline = self.run.logs / f"{pair_id}.out", time.monotonic() + WAIT_SECONDS
        while not (out.exists() and text in out.read_text()):
            assert time.monotonic() < deadline, f"the job did not print {text!r}\n{self.dagman_log()}"
            time.sleep(0.1)

    def dagman_log(self) -> str:
        """Return the end of DAGMan's own log for the message of a failed test."""
        out = self.run.root / "study.dag.dagman.out"
        lines = out.read_text().splitlines() if out.exists() else ["no dagman.out"]
        return "\n".join(line for line in lines if "Statistics" not in line)[-3000:]

    def exit_code(self) -> int:
        """Return the exit code of DAGMan."""
        text = (self.run.root / "study.dag.dagman.out").read_text()
        return int(text.rsplit("EXITING WITH STATUS ", 1)[1].split()[0])

    def read_records(self) -> dict[str, Record]:
        """Return the records by pair."""
        found = {path.stem: outcome_file.read(path) for path in self.run.outcomes.glob("*.json")}
        return {pair_id: record for pair_id, record in found.items() if isinstance(record, Record)}

    def fake_python(self, script: str) -> Path:
        """Return a fake of the site's Python. Pairs run the script, and the FINAL node runs the real analysis."""
        path = self.folder / "python"
        path.write_text(
            f'#!/bin/sh\ncase "$*" in *aggregate*) exec "{sys.executable}" "$@" ;; esac\n{script}\n',
            encoding="utf-8",
        )
        path.chmod(0o755)
        return path

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
