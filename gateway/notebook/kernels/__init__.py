"""Where Jupyter's kernels run: in the image of a tool, or on a node of a cluster."""
