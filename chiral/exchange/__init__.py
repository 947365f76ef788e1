"""The block protocol /chiral/blocks/1.0.0: pure codec, client and server on streams."""
