"""Comparison of survival models."""
