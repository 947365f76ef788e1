"""The soak: many GiB moved between two nodes, and whether anything of theirs grows with it."""
