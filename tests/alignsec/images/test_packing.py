"""Packed images are restored bit for bit; damaged bytes are an error."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec.images import packing
from alignsec.images.packing import PackedImages


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    radius=st.sampled_from([0.0, 1 / 255, 0.3, 1.0]),
    seed=st.integers(0, 1000),
)
def test_packed_images_are_restored_bit_for_bit(shape, radius, seed):
    """Expect this for any value: on the edge of the budget, clean, far outside, negative, infinite or NaN."""
    random = np.random.default_rng(seed)
    clean, eps = random.random(shape, dtype=np.float32), np.full(shape[:1], radius, dtype=np.float32)
    edge = (clean + np.float32(radius) * random.choice([-1, 1], shape).astype(np.float32)).clip(0, 1)
    special = random.choice(np.array([np.nan, np.inf, -0.0, 0.0, -1.0, 1e-40], dtype=np.float32), shape)
    far = (random.standard_normal(shape) * 1e9).astype(np.float32)
    choices = [clean, edge, random.random(shape, dtype=np.float32), far, special]
    images = np.choose(random.integers(0, len(choices), shape), choices)
    packed = packing.pack(images, clean, eps, 1)
    assert np.array_equal(packing.unpack(packed, clean, eps).view(np.int32), images.view(np.int32))


def test_damaged_bytes_are_an_error():
    """Expect one also for bytes that would fill the memory, which are not decompressed to their end."""
    clean, eps = np.zeros((1, 3, 8, 8), dtype=np.float32), np.ones(1, dtype=np.float32)
    packed = packing.pack(clean + np.float32(0.5), clean, eps, 9)
    many = np.zeros((9, 3, 8, 8), dtype=np.float32)
    larger = packing.pack(many, many, np.ones(9, dtype=np.float32), 9)
    for damaged in (
        PackedImages(packed.kinds[:-3], packed.others),
        PackedImages(packed.kinds, packed.others[:-5]),
        PackedImages(b"x", packed.others),
        PackedImages(larger.kinds, packed.others),
    ):
        with pytest.raises(ValueError, match="damaged"):
            packing.unpack(damaged, clean, eps)
