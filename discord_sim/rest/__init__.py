"""REST v10, one file an area."""
