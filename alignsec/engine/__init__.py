"""Attack engine: AutoAttack's verdicts for every image and budget, with as few model passes as possible.

The engine runs the searches of all images, budgets and components side by side in a fixed number of slots. A
search ends as soon as its image has a verdict, and another search takes its slot. One pass through the model
serves all searches that need it, whatever their component.

- `run`: `evaluate`, the entry point: clean pass, rounds of the engine, and resumption from a snapshot.
- `engine`: one round: fill the slots, run the passes, judge the points, update the searches.
- `scheduler`: which search starts next. `search`: what a search is. `problem`: what all searches share.
- `table`: the searches of one component, as rows of tensors. `attacks`: the tables, one file per attack.
- `claims`: which points are adversarial images. `ledger`: what was found and what it cost.
- `noise`: random numbers. `snapshot`, `packing`: the state as bytes. `norms`: norms of batches. `settings`.
- `replay`, `replay_scheduler`: the random numbers and the order of the reference, for parity tests only.

See docs/engine.md for measurements.
"""

from alignsec.engine.run import evaluate
from alignsec.engine.settings import Settings

__all__ = ["Settings", "evaluate"]
