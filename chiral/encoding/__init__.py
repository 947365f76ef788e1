"""Other forms of bytes: compressed, or told as a difference. Pure; what a CID names is always the plain form."""
