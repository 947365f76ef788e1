"""Layouts of files over blocks, pure: the flat Chiral root (FileInfo), and the Merkle DAG of UnixFS."""
