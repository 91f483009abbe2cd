"""What a user brings, tried in seconds before it is used: a classifier on a toy problem, a protocol on its data."""
