"""The Yamux multiplexer as a frame machine: bytes in, events and bytes out, no I/O."""
