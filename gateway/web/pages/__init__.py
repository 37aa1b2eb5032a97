"""The HTML pages, one file per subject."""
