"""Formats that are registered where they lie: one module each, read by metadata alone."""
