"""Runs asked for through a face that does not wait: queued, followed, cancelled, resumed."""
