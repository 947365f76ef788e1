"""Chiral among real Rust and Go libp2p peers: building them, driving them, and the scenarios they play."""
