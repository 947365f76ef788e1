"""The command line: one command a file, each a client of a node's HTTP API."""
