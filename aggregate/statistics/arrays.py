"""Types of the arrays that the analysis computes with."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint8]
"""One bit per image in pack order, eight to a byte; `np.unpackbits(bits, count=images)` unpacks them."""
