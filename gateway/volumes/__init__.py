"""The only package that reads or writes voxels, tables and meshes."""
