"""The LMDB environment and its tables: blocks, file catalogue, provider records."""
