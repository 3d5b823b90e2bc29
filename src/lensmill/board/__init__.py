"""Board: a local page on which people look at the candidates of a run and grade them."""
