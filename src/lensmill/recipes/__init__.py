"""The shipped recipes: whole, commented, each run by a test."""
