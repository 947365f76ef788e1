"""The numbers of the Noise data phase, and its errors.

A frame is a 2-byte big-endian length and that many bytes of ciphertext, of which the last 16 are the Poly1305 tag
(Noise specification, revision 34, section 5.1 for the nonces; libp2p Noise specification for the framing).
"""

from __future__ import annotations

from chiral.errors import ProtocolError

LENGTH_BYTES = 2
TAG_BYTES = 16
MAX_FRAME_BYTES = 65_535
"""The longest ciphertext a frame can carry, without its length."""
MAX_PLAINTEXT_BYTES = MAX_FRAME_BYTES - TAG_BYTES
MAX_WIRE_BYTES = LENGTH_BYTES + MAX_FRAME_BYTES
KEY_BYTES = 32
NONCE_LIMIT = 2**64 - 1
"""The first nonce that must not be used: the specification reserves it for rekeying."""


class NoiseError(ProtocolError):
    """The Noise data phase cannot go on; the connection is of no further use."""

    code = "noise"


class NonceExhaustedError(NoiseError):
    """As many messages were sealed or opened with one key as the specification allows."""

    code = "noise_nonce"
