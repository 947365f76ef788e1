"""Figures of Chiral beside those of the Rust and Go peers, all from one run: `python -m interop.bench`."""
