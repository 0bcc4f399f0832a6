"""Unbalanced optimal transport of tokens to prototypes."""
