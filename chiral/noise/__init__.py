"""The data phase of a Noise connection as a frame machine: ciphertext in, messages out, and back."""
