"""Names of content: CIDs, blocks and the varints they are written with."""
