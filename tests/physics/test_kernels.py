"""Moffats and PSF images: unit flux, places, widths, symmetries, wings, and each other."""

import math

import pytest
import torch
from torch import Tensor

from lensmill.grid import Grid
from lensmill.physics.kernels import Lattice, Moffat, PsfImage, moffat_brightness
from lensmill.physics.psf import FWHM_PER_SIGMA, gaussian_sample_matrix
from lensmill.physics.psf_width import measure_fwhm

SCALE = 0.2
BORDER = 5
SHAPES = [(64, 57), (61, 72)]
FWHM = torch.tensor([[0.6, 0.9], [0.7, 1.1]], dtype=torch.float64)
BETA = torch.tensor([[2.5, 3.0], [4.5, 3.5]], dtype=torch.float64)
E1 = torch.tensor([[0.1, -0.05], [0.0, 0.02]], dtype=torch.float64)
E2 = torch.tensor([[0.03, 0.08], [0.0, -0.1]], dtype=torch.float64)
MOFFAT = Moffat(BETA, E1, E2)


def lattice(shape: tuple[int, int], supersampling: int = 2) -> Lattice:
    return Lattice(Grid(shape, SCALE), supersampling, BORDER)


def blob(on: Lattice, x: float, y: float, fwhm: float = 0.5) -> Tensor:
    """A round Gaussian of unit flux about (x, y), as the cells' brightness."""
    rows, columns = (size + 2 * on.border for size in on.stamp.shape)
    cells = Grid((rows, columns), SCALE).supersampled(on.supersampling)
    along_x, along_y = cells.axes(dtype=torch.float64)
    squared = (along_x - x) ** 2 + (along_y[:, None] - y) ** 2
    sigma = fwhm / FWHM_PER_SIGMA
    light = torch.exp(-squared / (2 * sigma**2)) / (2 * math.pi * sigma**2)
    return light.expand(2, 2, -1, -1)


def image(psf: Moffat | PsfImage, on: Lattice, x: float = 0.0, y: float = 0.0) -> Tensor:
    return on.flux(blob(on, x, y), psf.spectrum(FWHM, on))


def gaussian_kernel(shape: tuple[int, int], scale: float, fwhm: Tensor = FWHM) -> Tensor:
    """A star through a round Gaussian PSF and pixels of `scale`."""
    edges = [(torch.arange(n + 1) - n / 2).to(fwhm) * scale for n in shape]
    root = FWHM_PER_SIGMA / math.sqrt(2) / fwhm[..., None]
    v, u = (0.5 * torch.erf(edge * root).diff(dim=-1) for edge in edges)
    return v[..., :, None] * u[..., None, :]


def lopsided_kernel(shape: tuple[int, int]) -> Tensor:
    """Two Gaussians, the fainter one up and to the right."""
    bright, faint = (gaussian_kernel(shape, SCALE, FWHM + wider) for wider in (0.2, 0.4))
    return bright + 0.5 * faint.roll((2, 3), (2, 3))


def scales(value: float) -> Tensor:
    return torch.full((2, 2), value, dtype=torch.float64)


def test_a_moffat_has_unit_flux() -> None:
    """Within R a share 1 − (1 + R²/r_d²)^(1−β) of it, here integrated in rings."""
    radius = torch.linspace(0, 3.0, 3001, dtype=torch.float64)
    for fwhm, beta in zip(FWHM.flatten(), BETA.flatten(), strict=True):
        zero = torch.zeros_like(fwhm)
        light = moffat_brightness(radius, zero, fwhm, beta, zero, zero)
        core = fwhm / (2 * torch.sqrt(2 ** (1 / beta) - 1))
        expected = 1 - (1 + (3.0 / core) ** 2) ** (1 - beta)
        torch.testing.assert_close(
            torch.trapezoid(2 * math.pi * radius * light, radius), expected, rtol=1e-5, atol=0
        )


def test_half_the_maximum_lies_on_an_ellipse_of_the_stated_axes() -> None:
    fwhm, beta, q, phi = (torch.tensor(v, dtype=torch.float64) for v in (0.8, 3.0, 0.7, 1.1))
    e = (1 - q) / (1 + q)
    e1, e2 = e * torch.cos(2 * phi), e * torch.sin(2 * phi)
    zero = torch.zeros_like(q)
    peak = moffat_brightness(zero, zero, fwhm, beta, e1, e2)
    for semi_axis, angle in ((fwhm / 2 / q.sqrt(), phi), (fwhm / 2 * q.sqrt(), phi + math.pi / 2)):
        x, y = semi_axis * torch.cos(angle), semi_axis * torch.sin(angle)
        edge = moffat_brightness(x, y, fwhm, beta, e1, e2)
        torch.testing.assert_close(edge, peak / 2)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("supersampling", "within"), [(1, 4e-4), (2, 2e-5), (3, 2e-5)])
def test_the_size_of_the_cells_changes_nothing(
    shape: tuple[int, int], supersampling: int, within: float
) -> None:
    """For light that varies slowly over them: pixels lie right on and right between centres."""
    found = image(MOFFAT, lattice(shape, supersampling), 0.31, -0.17)
    finest = image(MOFFAT, lattice(shape, 4), 0.31, -0.17)
    assert (found - finest).abs().max() < within * finest.max()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("supersampling", [1, 2, 3, 4])
def test_light_lies_where_it_is_put(shape: tuple[int, int], supersampling: int) -> None:
    """The centroid of a narrow, unwinged image; x with the column, y with the row."""
    on = lattice(shape, supersampling)
    kernel = PsfImage(gaussian_kernel((31, 33), SCALE), scales(SCALE))
    found = image(kernel, on, 0.43, -0.26)
    x, y = on.stamp.coordinates(dtype=torch.float64)
    for axis, place in ((x, 0.43), (y, -0.26)):
        mean = (found * axis).sum((2, 3)) / found.sum((2, 3))
        torch.testing.assert_close(mean, torch.full_like(mean, place), rtol=0, atol=1e-5)


@pytest.mark.parametrize("own", [0.1, 0.2, 0.25])
@pytest.mark.parametrize("sides", [(41, 45), (52, 48)])
@pytest.mark.parametrize("supersampling", [2, 3])
def test_images_of_a_gaussian_equal_the_gaussians_matrices(
    own: float, sides: tuple[int, int], supersampling: int
) -> None:
    """Images with pixels finer than, as large as and coarser than the stamp's."""
    on = lattice((64, 57), supersampling)
    size = (sides[0] * int(0.25 / own + 0.5), sides[1] * int(0.25 / own + 0.5))
    kernel = 7 * gaussian_kernel(size, own)
    found = image(PsfImage(kernel, scales(own)), on, 0.31, -0.17)
    y, x = (gaussian_sample_matrix(FWHM, n, SCALE, supersampling, BORDER) for n in on.stamp.shape)
    expected = y @ blob(on, 0.31, -0.17) @ x.mT
    assert (found - expected).abs().max() < 2e-4 * expected.max()


def test_a_moffat_of_large_beta_is_a_gaussian() -> None:
    on = lattice((64, 57))
    zero = torch.zeros_like(FWHM)
    found = image(Moffat(zero + 3000.0, zero, zero), on, 0.1, 0.2)
    y, x = (gaussian_sample_matrix(FWHM, n, SCALE, 2, BORDER) for n in on.stamp.shape)
    expected = y @ blob(on, 0.1, 0.2) @ x.mT
    assert (found - expected).abs().max() < 1e-3 * expected.max()


def test_images_add_in_quadrature() -> None:
    """A Gaussian of 0.5″ through an image of one of f is as wide as √(0.5² + f²)."""
    on = lattice((64, 57))
    found = image(PsfImage(gaussian_kernel((41, 45), SCALE), scales(SCALE)), on)
    wide = torch.hypot(FWHM, torch.tensor(0.5, dtype=torch.float64))
    expected = gaussian_kernel((64, 57), SCALE, wide)
    assert (found - expected).abs().max() < 1e-4 * expected.max()


def test_a_star_through_an_image_is_the_image() -> None:
    """Lopsided, the right way round and in its place."""
    kernel = lopsided_kernel((41, 45))
    on = Lattice(Grid((41, 45), SCALE), 1, BORDER)
    cells = torch.zeros(2, 2, 51, 55, dtype=torch.float64)
    cells[..., 25, 27] = 1 / SCALE**2
    found = on.flux(cells, PsfImage(kernel, scales(SCALE)).spectrum(FWHM, on))
    expected = kernel / kernel.sum((2, 3), keepdim=True)
    assert (found - expected).abs().max() < 1e-5 * expected.max()


@pytest.mark.parametrize("psf", ["moffat", "image"])
def test_the_width_of_a_rendered_star_is_the_one_asked_for(psf: str) -> None:
    """On fine pixels, which hardly widen it."""
    on = Lattice(Grid((90, 101), 0.07), 2, BORDER)
    cells = torch.zeros(2, 2, 200, 222, dtype=torch.float64)
    cells[..., 99:101, 110:112] = 1.0
    shape = MOFFAT if psf == "moffat" else PsfImage(gaussian_kernel((121, 111), 0.05), scales(0.05))
    for star, fwhm in zip(
        on.flux(cells, shape.spectrum(FWHM, on)).flatten(0, 1), FWHM.flatten(), strict=True
    ):
        assert measure_fwhm(star.numpy()) * 0.07 == pytest.approx(fwhm.item(), rel=0.012)


@pytest.mark.parametrize("supersampling", [2, 3])
def test_a_turned_psf_turns_the_image(supersampling: int) -> None:
    """By 90° from +x towards +y: (e1, e2) → (−e1, −e2)."""
    on, turned_on = (lattice(shape, supersampling) for shape in ((64, 57), (57, 64)))
    found = image(Moffat(BETA, -E1, -E2), turned_on, 0.17, 0.31)
    expected = torch.rot90(image(MOFFAT, on, 0.31, -0.17), -1, (2, 3))
    assert (found - expected).abs().max() < 1e-9


@pytest.mark.parametrize("supersampling", [2, 3])
def test_a_mirrored_psf_mirrors_the_image(supersampling: int) -> None:
    on = lattice((64, 57), supersampling)
    found = image(Moffat(BETA, E1, -E2), on, 0.31, 0.17)
    assert (found - image(MOFFAT, on, 0.31, -0.17).flip(2)).abs().max() < 1e-9


def test_a_turned_image_of_a_psf_turns_the_image() -> None:
    kernel = lopsided_kernel((31, 37))
    on, turned_on = lattice((64, 57)), lattice((57, 64))
    expected = torch.rot90(image(PsfImage(kernel, scales(SCALE)), on, 0.31, -0.17), -1, (2, 3))
    turned = PsfImage(torch.rot90(kernel, -1, (2, 3)), scales(SCALE))
    assert (image(turned, turned_on, 0.17, 0.31) - expected).abs().max() < 1e-9


@pytest.mark.parametrize("shape", [(32, 33), (64, 57)])
def test_wings_are_those_of_the_profile_and_wrap_around_harmlessly(shape: tuple[int, int]) -> None:
    """A star in a corner of the margin: the profile as far as the other corner, or 1e-4 of it."""
    on = Lattice(Grid(shape, SCALE), 2, BORDER)
    rows, columns = (2 * (n + 2 * BORDER) for n in shape)
    cells = torch.zeros(2, 2, rows, columns, dtype=torch.float64)
    cells[..., 0, 0] = 1 / on.cell**2
    found = on.flux(cells, MOFFAT.spectrum(FWHM, on))
    x, y = on.stamp.coordinates(dtype=torch.float64)
    star_x, star_y = (-(n - 1) / 2 * on.cell for n in (columns, rows))
    values = (value[..., None, None] for value in (FWHM, BETA, E1, E2))
    profile = moffat_brightness(x - star_x, y - star_y, *values) * SCALE**2
    core = FWHM / (2 * torch.sqrt(2 ** (1 / BETA) - 1))
    peak = ((BETA - 1) / (math.pi * core**2) * SCALE**2)[..., None, None]
    near = (x - star_x) ** 2 + (y - star_y) ** 2 < 3.0**2
    assert (found / profile - 1)[..., near].abs().max() < 0.05  # over a pixel it is curved
    assert ((found - profile).abs() < 1e-4 * peak)[..., ~near].all()


def test_gradients_are_finite_and_those_of_finite_differences() -> None:
    """With respect to width, β and ellipticity, the round PSF included."""
    on = lattice((32, 37))
    cells = blob(on, 0.3, -0.2)
    weight = torch.linspace(-1, 2, 32 * 37, dtype=torch.float64).view(32, 37)

    def total(*values: Tensor) -> Tensor:
        fwhm, beta, e1, e2 = values
        return (on.flux(cells, Moffat(beta, e1, e2).spectrum(fwhm, on)) ** 2 * weight).sum()

    values = [value.clone().requires_grad_() for value in (FWHM, BETA, E1, E2)]
    assert torch.autograd.gradcheck(total, values)
