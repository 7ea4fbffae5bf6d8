"""The table of all readers under test."""

from benchmarks.fuzz import image_readers, run_readers, study_readers, weights_readers
from benchmarks.fuzz.reader import Reader

READERS: dict[str, Reader] = {
    reader.name: reader
    for module in (study_readers, image_readers, weights_readers, run_readers)
    for reader in module.READERS
}
