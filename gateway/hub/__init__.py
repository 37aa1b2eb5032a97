"""The JupyterHub face."""
