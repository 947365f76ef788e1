"""How much of a thing may be had in a time: token buckets, one and by key. Pure; waits for nothing."""
