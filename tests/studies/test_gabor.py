"""The Gabor model of V1 responds as complex cells do."""

import math

import numpy as np
import pytest
import torch

from studies.demo.gabor import FREQUENCIES, ORIENTATIONS, gabor_pair, v1_energies

SIDE = 32


def grating(orientation: float, frequency: float, phase: float = 0.0) -> torch.Tensor:
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    across = x * math.cos(orientation) + y * math.sin(orientation)
    return torch.from_numpy(0.5 + 0.5 * np.cos(2 * math.pi * frequency * across + phase))[None, None]


def centre_cells(image: torch.Tensor) -> np.ndarray:
    """Return the energies (orientations, frequencies) of the central cells, which the border does not affect."""
    energies = v1_energies(image).reshape(len(ORIENTATIONS), len(FREQUENCIES), SIDE // 2, SIDE // 2)
    return energies[:, :, SIDE // 4, SIDE // 4]


@pytest.mark.parametrize("frequency", range(len(FREQUENCIES)))
@pytest.mark.parametrize("orientation", range(len(ORIENTATIONS)))
def test_cell_tuned_to_the_grating_has_the_highest_energy(orientation, frequency):
    energies = centre_cells(grating(ORIENTATIONS[orientation], FREQUENCIES[frequency]))
    assert energies[:, frequency].argmax() == orientation
    assert energies[orientation].argmax() == frequency
    across = (orientation + len(ORIENTATIONS) // 2) % len(ORIENTATIONS)
    assert energies[across, frequency] < 0.05 * energies[orientation, frequency]


def test_energy_is_nearly_independent_of_the_phase():
    """This distinguishes a complex cell: the response of a simple cell passes through zero."""
    energies = [
        centre_cells(grating(ORIENTATIONS[2], FREQUENCIES[1], phase))[2, 1] for phase in np.linspace(0, 6, 9)
    ]
    assert max(energies) < 1.1 * min(energies)


def test_uniform_image_has_zero_energy():
    assert centre_cells(torch.full((1, 1, SIDE, SIDE), 0.7)).max() < 1e-9


def test_filters_have_unit_norm_and_are_a_quadrature_pair():
    for orientation in ORIENTATIONS:
        even, odd = gabor_pair(orientation, FREQUENCIES[0])
        assert np.allclose([np.linalg.norm(even), np.linalg.norm(odd)], 1)
        assert np.allclose(even, even[::-1, ::-1])
        assert np.allclose(odd, -odd[::-1, ::-1])


def test_cells_are_at_every_second_pixel_and_energy_is_proportional_to_contrast():
    image = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    energies = v1_energies(image)
    assert energies.shape == (3, len(ORIENTATIONS) * len(FREQUENCIES) * 8 * 8)
    assert (energies >= 0).all()
    assert np.allclose(v1_energies(image / 2), energies / 2)
