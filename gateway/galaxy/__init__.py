"""The Galaxy face."""
