"""The local HTTP API over which clients talk to a running node."""
