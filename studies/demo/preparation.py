"""Making the assets: images, weights and scores, from the study's model list to a folder put in place at once."""

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it ships no types

from studies.demo.digits import Parts, resize_digits, split_digits, write_images
from studies.demo.listing import ListingError, ModelEntry
from studies.demo.manifest import partial_folder, put_in_place, write_manifest
from studies.demo.scores import score_network, scores_text
from studies.demo.training import RECIPES, Recipe, state_to_save, train_network

SEED = 0
"""Deals the digits into parts. Not the study's seed: another choice of images needs no other networks."""


@dataclass(frozen=True)
class MadeModel:
    """What came of one model.

    Attributes:
        name: the model's.
        scores: every benchmark's score, by the benchmark's name.
        seconds: how long training and scoring took.
    """

    name: str
    scores: Mapping[str, float]
    seconds: float


def make_assets(
    folder: Path,
    entries: Sequence[ModelEntry],
    sources: str,
    *,
    processes: int,
    on_made: Callable[[MadeModel], None],
    recipes: Mapping[str, Recipe] = RECIPES,
) -> None:
    """Make every asset aside, then rename the finished folder into place.

    Args:
        folder: where the assets go; replaced as a whole.
        entries: the models.
        sources: digest of what the assets are made from, for the manifest.
        processes: models made at a time, one core each.
        on_made: called after each model, in the order they finish.
        recipes: how each model learns, by name.

    Raises:
        ListingError: a model has no recipe.
        OSError: the folder cannot be written, or holds something else; nothing is left behind.
    """
    for entry in entries:
        if entry.name not in recipes:
            remedy = f"has no recipe; add one to RECIPES in studies/demo/training.py, beside {', '.join(recipes)}"
            raise ListingError(f'models.name: "{entry.name}" {remedy}')
    partial = partial_folder(folder)
    try:
        write_images(split_digits(SEED).test, partial / "images")
        (partial / "weights").mkdir()
        jobs = [(entry, recipes[entry.name], partial / "weights" / entry.weights) for entry in entries]
        made = _make_models(jobs, processes, on_made)
        rows = [(entry.name, made[entry.name].scores) for entry in entries]
        (partial / "scores.csv").write_text(scores_text(rows), encoding="utf-8")
        write_manifest(partial, sources)
        put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def make_model(entry: ModelEntry, recipe: Recipe, weights: Path, parts: Parts) -> MadeModel:
    """Train one model, write its weights, and score it."""
    start = time.perf_counter()
    images = resize_digits(parts.training.pixels, entry.side)
    network = train_network(entry, recipe, images, torch.from_numpy(parts.training.labels))
    # Not by save_file: its files are only for their owner, and jobs may run as another user.
    weights.write_bytes(save(state_to_save(network)))
    scores = score_network(network, parts, entry.side)
    return MadeModel(entry.name, scores, time.perf_counter() - start)


def _make_models(
    jobs: Sequence[tuple[ModelEntry, Recipe, Path]], processes: int, on_made: Callable[[MadeModel], None]
) -> dict[str, MadeModel]:
    made: dict[str, MadeModel] = {}
    others = set(multiprocessing.active_children())
    # Started afresh, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(jobs)), mp_context=context, initializer=_start_worker)
    # Longest first, so that no core waits at the end for a model begun last.
    jobs = sorted(jobs, key=lambda job: job[1].epochs * (1 + job[1].steps * (job[1].eps > 0)), reverse=True)
    try:
        for future in as_completed([pool.submit(_make_in_worker, *job) for job in jobs]):
            result = future.result()
            made[result.name] = result
            on_made(result)
    finally:
        # After Ctrl-C or a full disk, nothing that they are still making will be used.
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        pool.shutdown(cancel_futures=True)
    return made


def _make_in_worker(entry: ModelEntry, recipe: Recipe, weights: Path) -> MadeModel:
    return make_model(entry, recipe, weights, split_digits(SEED))


def _start_worker() -> None:
    # One core each, for torch and for NumPy; and sums come out the same on any number of cores.
    torch.set_num_threads(1)
    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches workers too; they go without a traceback
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    """A worker whose parent was killed would wait for its next model for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
