"""Bad pixels, filled from their neighbours: in survey images and in simulated ones alike."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]

FILL_SCALE = 1.5
"""Standard deviation, in pixels, of the Gaussian that weights the neighbours of a bad pixel."""


def fill_bad(image: Image, bad: Mask) -> Image:
    """`image` with its `bad` pixels replaced by the Gaussian-weighted mean of good neighbours.

    Far from any good pixel: by the nearest such mean. No noise is added.
    """
    if not bad.any():
        return image
    weight = ndimage.gaussian_filter((~bad).astype(float), FILL_SCALE)
    total = ndimage.gaussian_filter(np.where(bad, 0.0, image), FILL_SCALE)
    mean = total / np.maximum(weight, 1e-12)
    if (far := weight < 0.01).any():  # seldom, and it takes as long as all the rest
        nearest = ndimage.distance_transform_edt(far, return_distances=False, return_indices=True)
        mean = mean[tuple(nearest)]
    return np.where(bad, mean, image)
