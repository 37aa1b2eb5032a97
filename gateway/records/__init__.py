"""What is known and what was done: catalogue, runs, provenance."""
