"""Content-addressable archives (CAR), pure: many blocks in one stream of bytes, version 1 and 2."""
