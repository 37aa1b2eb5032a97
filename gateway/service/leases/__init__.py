"""Devices lent for a time: one ledger for notebooks, runs and jobs of other systems."""
