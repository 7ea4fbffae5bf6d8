"""The Gabor model of V1 behaves as complex cells do."""

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
    """Energies (orientations, frequencies) of the cells in the middle, which see no border."""
    energies = v1_energies(image).reshape(len(ORIENTATIONS), len(FREQUENCIES), SIDE // 2, SIDE // 2)
    return energies[:, :, SIDE // 4, SIDE // 4]


@pytest.mark.parametrize("frequency", range(len(FREQUENCIES)))
@pytest.mark.parametrize("orientation", range(len(ORIENTATIONS)))
def test_the_cell_that_answers_most_is_the_one_tuned_to_the_grating(orientation, frequency):
    energies = centre_cells(grating(ORIENTATIONS[orientation], FREQUENCIES[frequency]))
    assert energies[:, frequency].argmax() == orientation
    assert energies[orientation].argmax() == frequency
    across = (orientation + len(ORIENTATIONS) // 2) % len(ORIENTATIONS)
    assert energies[across, frequency] < 0.05 * energies[orientation, frequency]


def test_phase_changes_the_answer_little():
    """What makes the cell complex: a simple cell's answer would pass through zero."""
    energies = [
        centre_cells(grating(ORIENTATIONS[2], FREQUENCIES[1], phase))[2, 1] for phase in np.linspace(0, 6, 9)
    ]
    assert max(energies) < 1.1 * min(energies)


def test_an_even_surface_excites_no_cell():
    assert centre_cells(torch.full((1, 1, SIDE, SIDE), 0.7)).max() < 1e-9


def test_filters_have_unit_norm_and_are_a_quadrature_pair():
    for orientation in ORIENTATIONS:
        even, odd = gabor_pair(orientation, FREQUENCIES[0])
        assert np.allclose([np.linalg.norm(even), np.linalg.norm(odd)], 1)
        assert np.allclose(even, even[::-1, ::-1])
        assert np.allclose(odd, -odd[::-1, ::-1])


def test_cells_sit_at_every_second_pixel_and_a_weaker_image_excites_them_in_proportion():
    image = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    energies = v1_energies(image)
    assert energies.shape == (3, len(ORIENTATIONS) * len(FREQUENCIES) * 8 * 8)
    assert (energies >= 0).all()
    assert np.allclose(v1_energies(image / 2), energies / 2)
