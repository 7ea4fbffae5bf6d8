"""Compiled: the network through torch.compile, for batches of one size, held to what the network as it is gives.

On an NVIDIA GPU each pass is then the replay of a CUDA graph (mode "reduce-overhead"). Shapes are fixed: a batch
that is nearly full is filled up, any other one goes through the network as it is. Only the network is compiled:
normalisation, counting and the losses lie outside.

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
Result = tuple[Tensor, ...]
Work = Callable[[Network | None], Result]
"""A pass, None through the network as it is: its logits, and after a gradient pass losses and gradients."""
Kind = tuple[int, bool]
"""A size of batches, and whether the pass goes backward."""

FULL = 0.875
"""The share of a batch from which it is filled up. That pays where a compiled pass takes less than this share of
the time."""
SIZES = 3
"""Of batches, that are compiled for: memory that runs out halves them, and compiling takes minutes."""
_APART: dict[SearchPrecision, tuple[float, float]] = {
    "fp32": (1e-3, 0.05),
    "tf32": (0.05, 0.5),
    "bf16": (0.2, 0.75),
}
"""How far logits and gradients may lie from the eager network's, as a share of their length over the batch. Only a
wrong program is to be told: rounding makes less, see docs/engine.md."""
_COMPARED = (0, 2)
"""The passes that are also made by the network as it is: the first, and the first that replays a CUDA graph, which
the second records."""
_TOLD = 200
"""Characters of an error, in the record."""
_FAILING = (
    # What dynamo, inductor, Triton and the compilers they call make of a network, of a machine without a compiler,
    # or of a full disk. An error of the network's own is raised again when that is used as it is.
    *(RuntimeError, OSError, SubprocessError, ImportError, SyntaxError, ModelError),
    *(AssertionError, AttributeError, LookupError, TypeError, ValueError),
)


@dataclass
class CompiledNetwork:
    """The compiled forms of a network, one for each size of batch and kind of pass, each made once."""

    network: nn.Module
    search: SearchPrecision
    backend: str | Callable[..., object] = "inductor"
    """Of torch.compile."""
    failure: str = ""
    """Why the network as it is goes on alone, if it does."""
    compared: int = 0
    """Images of the last pass that were put through the network as it is as well."""
    _sizes: set[int] = field(default_factory=set)
    """Compiled for so far."""
    _made: dict[Kind, Network] = field(default_factory=dict)
    _passes: Counter[Kind] = field(default_factory=Counter)

    def accepts(self, images: int, most: int) -> bool:
        """Whether a batch of at most `most` is full enough for it to pay, and nothing has failed."""
        return not self.failure and images >= FULL * most

    def run(self, work: Work, images: int, most: int) -> Result:
        """The work on so many images, compiled for `most` if that can be done, else by the network as it is.

        Raises what the network as it is raises, and what says that memory ran out.
        """
        kind = most, torch.is_grad_enabled()
        before = self._passes[kind]
        self._sizes.add(most)
        if len(self._sizes) > SIZES:
            self._disable(f"memory ran out at {SIZES} sizes of batches")
            return work(None)
        try:
            # All that a network needs is compiled at its first pass. What would be compiled anew later, for a
            # counter in the network, say, runs as it is.
            with torch.compiler.set_stance("eager_on_recompile" if before else "default"):
                result = work(self._form(kind))
        except _FAILING as error:
            if is_out_of_memory(error):
                raise
            failed = f"{type(error).__name__}: {' '.join(str(error).split())[:_TOLD]}"
        else:
            self._passes[kind] += 1
            if before not in _COMPARED:
                return result
            exact = work(None)
            self.compared += images
            if self._alike(result, exact):
                # Not the exact ones: a search that is taken up is to go on with the same bits.
                return result
            self._disable("its results are not those of the network as it is")
            return exact
        # Out here, where the error and all that its frames held are gone.
        self._disable(failed)
        return work(None)

    def release(self) -> None:
        """Free what the compiled forms hold, such as the memory of CUDA graphs, which nothing else can use.

        torch has one reset for all: what else this process has compiled is compiled anew at its next call.
        """
        if self._made:
            self._made.clear()
            self._passes.clear()
            torch.compiler.reset()
            gc.collect()

    def _disable(self, why: str) -> None:
        self.failure = why
        self.release()

    def _form(self, kind: Kind) -> Network:
        """The compiled network of a kind, to be given as many images or fewer."""
        if kind not in self._made:
            graphs = self.backend == "inductor" and torch.cuda.is_available()
            # torch ships the last argument without its type.
            self._made[kind] = torch.compile(  # type: ignore[call-overload]
                self.network,
                dynamic=False,
                backend=self.backend,
                mode="reduce-overhead" if graphs else None,
                isolate_recompiles=True,
            )
        return partial(_filled_up, self._made[kind], kind[0])

    def _alike(self, result: Result, exact: Result) -> bool:
        """Whether a pass gave the logits and gradients that the network as it is gives, but for rounding."""
        pairs = zip(result[::2], exact[::2], _APART[self.search], strict=False)
        return all(_is_near(one, other, share) for one, other, share in pairs)


def _filled_up(compiled: Network, size: int, images: Tensor) -> Tensor:
    """The logits of at most `size` images, put through as so many."""
    more = images[:1].expand(size - len(images), *images.shape[1:])
    # So that outputs of the pass before may be written over.
    torch.compiler.cudagraph_mark_step_begin()
    logits = outputs.logits(compiled(torch.cat([images, more])))
    # A copy: with CUDA graphs the outputs lie where the next replay writes its own.
    return logits[: len(images)].clone()


def _is_near(one: Tensor, other: Tensor, share: float) -> bool:
    """Whether values are finite where others are, and no further from them than a share of their length."""
    if not torch.equal(one.isfinite(), other.isfinite()):
        return False
    one, other = one.nan_to_num(0, 0, 0), other.nan_to_num(0, 0, 0)
    return bool((one - other).norm() <= share * other.norm())
