"""File formats: one module each, found by name in `source`."""
