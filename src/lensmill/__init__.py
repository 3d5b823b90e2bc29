"""lensmill: from survey images to strong-lens models."""

__version__ = "0.1.0"
