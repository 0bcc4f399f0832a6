"""Splitters that keep tissue source sites whole."""
