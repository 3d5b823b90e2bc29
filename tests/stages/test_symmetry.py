"""The eight symmetries act on images and ellipticities as geometry says."""

import pytest
import torch

from lensmill.stages.symmetry import ELEMENTS, turned
from lensmill.units import ellipticity_from_axis_ratio


def moments(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Signs of (e1, e2) of a blob, from its second moments."""
    y, x = image.shape[-2:]
    rows = torch.arange(y) - (y - 1) / 2
    columns = torch.arange(x) - (x - 1) / 2
    xx = (image * columns**2).sum((-2, -1))
    yy = (image * rows[:, None] ** 2).sum((-2, -1))
    xy = (image * rows[:, None] * columns).sum((-2, -1))
    return xx - yy, 2 * xy


def blob(phi: torch.Tensor) -> torch.Tensor:
    """An elongated Gaussian on 31×37 pixels."""
    y, x = torch.meshgrid(torch.arange(31) - 15.0, torch.arange(37) - 18.0, indexing="ij")
    c, s = torch.cos(phi)[:, None, None], torch.sin(phi)[:, None, None]
    return torch.exp(-((c * x + s * y) ** 2) / 30 - (c * y - s * x) ** 2 / 8)[:, None]


@pytest.mark.parametrize("element", ELEMENTS)
def test_ellipticity_turns_with_the_image(element):
    phi = torch.tensor([0.3, 1.1, 2.5])
    e1, e2 = ellipticity_from_axis_ratio(torch.tensor([0.5, 0.5, 0.5]), phi)
    batch = turned({"noisy": blob(phi), "e1": e1, "e2": e2, "theta_E": phi}, element)
    m1, m2 = moments(batch["noisy"][:, 0])
    angle = torch.atan2(batch["e2"], batch["e1"])
    torch.testing.assert_close(torch.atan2(m2, m1), angle, atol=1e-2, rtol=0)
    assert torch.equal(batch["theta_E"], phi)


def test_the_elements_differ_and_0_is_the_identity():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    seen = {turned({"clean": image}, k)["clean"].flatten().tolist().__repr__() for k in ELEMENTS}
    assert len(seen) == 8
    assert torch.equal(turned({"clean": image}, 0)["clean"], image)
