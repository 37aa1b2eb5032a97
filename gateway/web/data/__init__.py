"""Chunk bytes: the raw endpoint under /data and /s."""
