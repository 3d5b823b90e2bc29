"""Training: a recipe names the parts, a loader feeds them, a checkpoint keeps what was learnt."""
