"""Pins, and collecting the blocks that neither a pin nor the catalogue keeps."""
