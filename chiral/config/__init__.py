"""The node's configuration: every room's model gathered, read from TOML, environment and flags."""
