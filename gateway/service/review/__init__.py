"""Proof-reading: annotation layers, edits that merge, queues, export and import."""
