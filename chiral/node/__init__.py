"""The composition root: wires the rooms together, supervises and ends them."""
