"""Stages: each learns some named quantities from others; a pipeline is stages in a row."""
