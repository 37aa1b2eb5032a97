"""A Galaxy of the gateway's own: its environment, its configuration, its process."""
