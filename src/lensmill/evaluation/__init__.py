"""Evaluation: how good is the chain, on tables with one row per example, and how to show it."""
