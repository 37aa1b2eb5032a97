"""Finding and reading: search, cards, thumbnails, histograms, provenance, descriptions."""
