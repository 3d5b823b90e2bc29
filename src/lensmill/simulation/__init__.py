"""The simulator: a population draws scenes, a survey observes them, named quantities come out."""
