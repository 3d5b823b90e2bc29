"""Networks: they know only tensors. Each is built as `Network(in_channels, out_channels, …)`."""
