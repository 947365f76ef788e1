"""Ports: the promises rooms make to each other, as protocols and the values that cross them."""
