"""The tables of annotation layers: objects block by block, edits, decisions of a queue."""
