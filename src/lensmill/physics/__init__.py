"""Pure, batched, differentiable functions of lensing, light, optics and noise."""
