"""Compiled network: torch.compile for batches of fixed size, checked against the eager network.

On an NVIDIA GPU each pass replays a CUDA graph (mode "reduce-overhead"). Shapes are fixed: a batch that is nearly
full is padded, and any other batch runs eagerly. Only the network is compiled; normalisation, pass counts and
losses are not.

Reference:
    https://docs.pytorch.org/docs/stable/generated/torch.compile.html
"""

import gc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from subprocess import SubprocessError

import torch
from torch import Tensor, nn

from alignsec.models import outputs
from alignsec.models.errors import ModelError, is_out_of_memory
from alignsec.spec.attack import SearchPrecision

Network = Callable[[Tensor], object]
PassOutput = tuple[Tensor, ...]
"""Logits; after a gradient pass also losses and gradients."""
Pass = Callable[[Network | None], PassOutput]
"""One pass over a batch through a compiled network, or through the eager network if the argument is None."""
ProgramKey = tuple[int, bool]
"""Identifies a compiled program: its batch size, and whether it computes gradients."""

MIN_FILL = 0.875
"""Smallest share of a full batch that is padded and compiled. Padding pays if a compiled pass takes less than this
share of the time of an eager pass."""
MAX_SIZES = 3
"""Largest number of batch sizes to compile for. Each time memory runs out, the size is halved, and compiling takes
minutes."""
_TOLERANCES: dict[SearchPrecision, tuple[float, float]] = {
    "fp32": (1e-3, 0.05),
    "tf32": (0.05, 0.5),
    "bf16": (0.2, 0.75),
}
"""Largest difference of logits and of gradients from the eager network's, relative to their norm over the batch.
The check is meant to detect wrong programs only: rounding causes smaller differences, see docs/engine.md."""
_COMPARED_PASSES = (0, 2)
"""Passes of a program that the eager network repeats: the first, and the first that replays a CUDA graph. The
second pass records the graph."""
_MAX_ERROR_CHARS = 200
"""Largest length of an error message in the record."""
_COMPILE_ERRORS = (
    # Errors of dynamo, inductor, Triton and the compilers that they call: for a network that they do not support,
    # on a machine without a compiler or with a full disk. If the network itself fails, the eager pass raises
    # again.
    *(RuntimeError, OSError, SubprocessError, ImportError, SyntaxError, ModelError),
    *(AssertionError, AttributeError, LookupError, TypeError, ValueError),
)


@dataclass
class CompiledNetwork:
    """The compiled programs of a network, one for each batch size and kind of pass, each compiled once."""

    network: nn.Module
    search: SearchPrecision
    backend: str | Callable[..., object] = "inductor"
    """Backend of torch.compile."""
    failure: str = ""
    """Reason why all further passes run eagerly; empty if compiled programs are in use."""
    compared: int = 0
    """Number of images of the last pass that the eager network classified too."""
    _sizes: set[int] = field(default_factory=set)
    """Batch sizes compiled for so far."""
    _programs: dict[ProgramKey, Network] = field(default_factory=dict)
    _passes: Counter[ProgramKey] = field(default_factory=Counter)

    def accepts(self, images: int, max_batch: int) -> bool:
        """Return True if a batch of `images` is full enough to be compiled and compiling has not failed."""
        return not self.failure and images >= MIN_FILL * max_batch

    def run(self, run_pass: Pass, images: int, max_batch: int) -> PassOutput:
        """Run a pass with the program for `max_batch`, or eagerly if that fails.

        Args:
            run_pass: The pass over one batch.
            images: Number of images in the batch, at most `max_batch`.
            max_batch: Batch size of the program.

        Raises:
            Exception: Any error of the eager network, and out-of-memory errors.
        """
        key = max_batch, torch.is_grad_enabled()
        earlier = self._passes[key]
        self._sizes.add(max_batch)
        if len(self._sizes) > MAX_SIZES:
            self._disable(f"memory ran out at {MAX_SIZES} batch sizes")
            return run_pass(None)
        try:
            # The first pass compiles all that the network needs. Anything that would be compiled again later, for
            # example because of a counter in the network, runs eagerly.
            with torch.compiler.set_stance("eager_on_recompile" if earlier else "default"):
                result = run_pass(self._program(key))
        except _COMPILE_ERRORS as error:
            if is_out_of_memory(error):
                raise
            failure = f"{type(error).__name__}: {' '.join(str(error).split())[:_MAX_ERROR_CHARS]}"
        else:
            self._passes[key] += 1
            if earlier not in _COMPARED_PASSES:
                return result
            exact = run_pass(None)
            self.compared += images
            if self._agrees(result, exact):
                # Not the eager result: a resumed search must compute the same bits.
                return result
            self._disable("its results differ from those of the eager network")
            return exact
        # Outside the except block, so that the error and the tensors in its frames are already freed.
        self._disable(failure)
        return run_pass(None)

    def release(self) -> None:
        """Free what the compiled programs hold, such as the memory of CUDA graphs, which nothing else can use.

        torch can only reset all programs of a process. Other compiled code is compiled again at its next call.
        """
        if self._programs:
            self._programs.clear()
            self._passes.clear()
            torch.compiler.reset()
            gc.collect()

    def _disable(self, reason: str) -> None:
        self.failure = reason
        self.release()

    def _program(self, key: ProgramKey) -> Network:
        """Return the program of a key; it accepts batches of its size and smaller ones."""
        if key not in self._programs:
            graphs = self.backend == "inductor" and torch.cuda.is_available()
            # torch declares no type for isolate_recompiles.
            self._programs[key] = torch.compile(  # type: ignore[call-overload] # the stub knows no backend that is a function
                self.network,
                dynamic=False,
                backend=self.backend,
                mode="reduce-overhead" if graphs else None,
                isolate_recompiles=True,
            )
        return partial(_run_padded, self._programs[key], key[0])

    def _agrees(self, result: PassOutput, exact: PassOutput) -> bool:
        """Return True if logits and gradients equal the eager network's within the tolerances."""
        pairs = zip(result[::2], exact[::2], _TOLERANCES[self.search], strict=False)
        return all(_is_close(one, other, tolerance) for one, other, tolerance in pairs)


def _run_padded(program: Network, size: int, images: Tensor) -> Tensor:
    """Pad a batch to `size` with copies of its first image, run it, and return the logits of the batch itself."""
    padding = images[:1].expand(size - len(images), *images.shape[1:])
    # Allows the next replay of a CUDA graph to overwrite the outputs of the pass before.
    torch.compiler.cudagraph_mark_step_begin()
    logits = outputs.extract_logits(program(torch.cat([images, padding])))
    # A copy: the next replay of a CUDA graph writes to the same memory.
    return logits[: len(images)].clone()


def _is_close(one: Tensor, other: Tensor, tolerance: float) -> bool:
    """Return True if the same values are finite and the difference is small relative to the norm of `other`."""
    if not torch.equal(one.isfinite(), other.isfinite()):
        return False
    one, other = one.nan_to_num(0, 0, 0), other.nan_to_num(0, 0, 0)
    return bool((one - other).norm() <= tolerance * other.norm())
