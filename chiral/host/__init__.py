"""py-libp2p composed and hardened: identity, connections, streams. The only door to libp2p beside the adapters."""

from chiral.host import libp2p_parts

libp2p_parts.load()  # before anything in this room imports libp2p: see that module for what it saves
