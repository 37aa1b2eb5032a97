"""Jupyter kernels that run in the images of tools, or on a cluster."""
