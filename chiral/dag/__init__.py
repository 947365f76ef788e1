"""Layouts of files over blocks, pure: the flat Chiral root (FileInfo); the Merkle DAG root has its place here."""
