"""Swarms of Python, Rust and Go peers as DHT servers, and what is asked of them."""
