"""Use cases on files: add, get, list, remove."""
