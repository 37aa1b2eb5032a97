"""The steps that bring an older catalogue database to the tables of this version."""
