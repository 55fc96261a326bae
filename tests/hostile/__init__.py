"""Blobs that want to do harm, and what must hold of each."""
