"""Sessions that bring blocks from several peers: pure decisions and the driver that waits for them."""
