"""Creation of the assets: images, weights and scores of the demo study."""

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

from alignsec.errors import ConfigError, ConfigErrors
from studies.demo.digits import Splits, resize_digits, split_digits, write_images
from studies.demo.manifest import create_partial_folder, replace_folder, write_manifest
from studies.demo.networks import STUDY_FILE, DemoNetwork
from studies.demo.scores import format_scores, score_network
from studies.demo.training import RECIPES, Recipe, state_to_save, train_network

SEED = 0
"""Seed of the split. It is not the study's seed, so that another choice of images needs no new networks."""


@dataclass(frozen=True)
class TrainedModel:
    """The result of training one model.

    Attributes:
        name: The model's name.
        scores: The score on every benchmark, by the benchmark's name.
        seconds: The time that training and scoring took.
    """

    name: str
    scores: Mapping[str, float]
    seconds: float


def make_assets(
    folder: Path,
    networks: Sequence[DemoNetwork],
    sources: str,
    *,
    processes: int,
    on_trained: Callable[[TrainedModel], None],
    recipes: Mapping[str, Recipe] = RECIPES,
) -> None:
    """Make all assets in a partial folder, then rename it into place.

    Args:
        folder: The assets folder, which is replaced as a whole.
        networks: The networks to train.
        sources: The digest of what the assets are made from, for the manifest.
        processes: The number of models trained at a time, one core each.
        on_trained: Called after each model, in the order in which they finish.
        recipes: The training settings by model name.

    Raises:
        ConfigErrors: A model has no recipe.
        OSError: The folder cannot be written, or holds other files. The partial folder is deleted.
    """
    errors = [
        ConfigError(
            path=STUDY_FILE,
            field=f"models[{number}].name",
            given=f'"{network.name}"',
            remedy=f"has no recipe; add one to RECIPES in studies/demo/training.py (known: {', '.join(recipes)})",
        )
        for number, network in enumerate(networks)
        if network.name not in recipes
    ]
    if errors:
        raise ConfigErrors(errors)
    partial = create_partial_folder(folder)
    try:
        write_images(split_digits(SEED).test, partial / "images")
        (partial / "weights").mkdir()
        jobs = [(network, recipes[network.name], partial / "weights" / network.weights) for network in networks]
        trained = _train_models(jobs, processes, on_trained)
        rows = [(network.name, trained[network.name].scores) for network in networks]
        (partial / "scores.csv").write_text(format_scores(rows), encoding="utf-8")
        write_manifest(partial, sources)
        replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def train_model(definition: DemoNetwork, recipe: Recipe, weights: Path, splits: Splits) -> TrainedModel:
    """Train one model, write its weights, and score it."""
    start = time.perf_counter()
    images = resize_digits(splits.training.pixels, definition.side)
    network = train_network(definition, recipe, images, torch.from_numpy(splits.training.labels))
    # save_file makes files that only their owner may read, and jobs may run as another user.
    weights.write_bytes(save(state_to_save(network)))
    scores = score_network(network, splits, definition.side)
    return TrainedModel(definition.name, scores, time.perf_counter() - start)


def _train_models(
    jobs: Sequence[tuple[DemoNetwork, Recipe, Path]], processes: int, on_trained: Callable[[TrainedModel], None]
) -> dict[str, TrainedModel]:
    trained: dict[str, TrainedModel] = {}
    others = set(multiprocessing.active_children())
    # Spawned, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(jobs)), mp_context=context, initializer=_start_worker)
    # Longest first, so that no core is idle while the last model is trained.
    jobs = sorted(jobs, key=lambda job: job[1].epochs * (1 + job[1].steps * (job[1].eps > 0)), reverse=True)
    try:
        for future in as_completed([pool.submit(_train_in_worker, *job) for job in jobs]):
            result = future.result()
            trained[result.name] = result
            on_trained(result)
    finally:
        # After Ctrl-C or a full disk, the results of the other workers are not used.
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        pool.shutdown(cancel_futures=True)
    return trained


def _train_in_worker(definition: DemoNetwork, recipe: Recipe, weights: Path) -> TrainedModel:
    return train_model(definition, recipe, weights, split_digits(SEED))


def _start_worker() -> None:
    # One thread each for torch and NumPy, so that sums do not depend on the number of cores.
    torch.set_num_threads(1)
    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches workers too; they end without a traceback
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """End this worker when its parent has died; otherwise it would wait for its next model indefinitely."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
