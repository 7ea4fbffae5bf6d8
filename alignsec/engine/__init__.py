"""Attack engine: AutoAttack's verdicts for every image and budget, with as few model passes as possible.

The engine runs the searches of all images, budgets and components side by side in a fixed number of slots. A
search ends when its image has a verdict, and another search takes its slot. One pass through the model serves the
searches of all components.

- `run`: `evaluate`, the entry point: clean pass, rounds of the engine, and resumption from a snapshot.
- `engine`: one round: fill the slots, run the passes, judge the points, update the searches.
- `scheduler`: the order of the searches. `search`: stages and searches. `problem`: the inputs of all searches.
- `table`: the searches of one component, as rows of tensors. `attacks`: the tables, one file per attack.
- `claims`: points that may be adversarial images. `ledger`: results and costs.
- `noise`: random numbers. `snapshot`, `packing`: the state as bytes. `norms`: norms of batches. `settings`.
- `replay`, `replay_scheduler`: the random numbers and the order of the reference, for parity tests only.

See docs/engine.md for measurements.
"""

from alignsec.engine.run import evaluate
from alignsec.engine.settings import Settings

__all__ = ["Settings", "evaluate"]
