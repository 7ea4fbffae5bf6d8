"""Progress display of a run's pairs: images and pairs done, rate and time left."""

from collections.abc import Iterable

from rich.console import Console

from alignsec.display import Display
from alignsec.run.progress import Progress
from alignsec.spec.pair import Pair


class PairDisplay(Display):
    """Progress over all pairs of a run. An image counts once for each budget.

    Args:
        console: where to show the progress.
        pairs: the run's pairs.
        image_count: images of each pair.
        already: ids of the pairs that were finished before; the rate does not count them.
    """

    def __init__(self, console: Console, pairs: Iterable[Pair], image_count: int, already: Iterable[str]) -> None:
        super().__init__(console, transient=False)
        self._totals = {pair.id: image_count * len(pair.attack.budgets) for pair in pairs}
        self._done = dict.fromkeys(self._totals, 0)
        self._ended = set(already)
        self._done.update({pair_id: self._totals[pair_id] for pair_id in self._ended})
        self.begin(self._pairs(), sum(self._totals.values()), done=sum(self._done.values()), unit="images")

    def report(self, pair_id: str, progress: Progress) -> None:
        """Show what a pair's job reported."""
        self.set_images_done(pair_id, progress.done)

    def set_images_done(self, pair_id: str, images_done: int) -> None:
        """Set how many images of a pair are done; more than the pair's total counts as the total."""
        self._done[pair_id] = min(images_done, self._totals[pair_id])
        self._show()

    def end(self, pair_id: str, result: str) -> None:
        """Count a pair as finished and print its result."""
        self._done[pair_id] = self._totals[pair_id]
        self._ended.add(pair_id)
        self._show()
        self.line(f"{pair_id}: {result}", then_progress=True)

    def _show(self) -> None:
        self.update(sum(self._done.values()), title=self._pairs())

    def _pairs(self) -> str:
        return f"{len(self._ended)}/{len(self._totals)} pairs"
