"""Upper limits of everything that is read from a file or a server. docs/limits.md describes them.

A value above a limit is an error that names the file. The limits are far above what a study needs, and low enough
that a damaged or hostile file cannot fill the memory or the disk of an access point.
"""

KIB, MIB, GIB = 2**10, 2**20, 2**30

STUDY_BYTES = 16 * MIB
"""A study file."""
SETTINGS_BYTES = 1 * MIB
"""The `.env` file."""
TABLE_BYTES = 1 * GIB
"""A CSV file of labels or published accuracies, or a list of images."""
NESTING = 32
"""Levels of tables and lists in a study file."""
LARGEST_INTEGER = 2**63 - 1
"""Integers of a study file: TOML's 64 bits."""
LARGEST_LABEL = 1_000_000
"""The label of an image."""

IMAGES = 20_000_000
"""Images of one source."""
IMAGE_BYTES = 200 * MIB
"""One encoded image."""
IMAGE_PIXELS = 100_000_000
"""Width times height of one image. The largest image of ImageNet has 61 million pixels."""
LABEL_BYTES = 1 * MIB
"""The label of one sample of a webdataset, which may be JSON with other facts."""
ROW_GROUP_BYTES = 8 * GIB
"""One row group of a parquet file, decompressed."""

WEIGHTS_BYTES = 100 * GIB
"""One downloaded file of weights."""
CACHE_BYTES = 256 * MIB
"""A cache of digests, packs or measurements."""
MANIFEST_BYTES = 64 * MIB
"""The manifest of the weights folder."""
NOTE_BYTES = 64 * KIB
"""The note on an incomplete download."""
OUTCOME_BYTES = 2 * GIB
"""One outcome file; one of 50,000 images at 20 budgets has 30 MB."""
EXAMPLES_BYTES = 1_000_000_000
"""The kept adversarial examples of one pair; HTCondor's plain transfer is meant for files below 1 GB."""
LOG_TAIL_BYTES = 64 * KIB
"""The end of a job's log, of which some lines are shown."""
