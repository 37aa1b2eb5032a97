"""Plans (data), engines (one file each), the worker, resume and events."""
