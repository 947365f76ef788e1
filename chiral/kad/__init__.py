"""Kademlia, pure: keys and distance, k-buckets, iterative lookups and the messages of the libp2p kad specification."""
