"""Splitters: pure rules that cut a byte stream into blocks."""
