"""Arrays in, arrays out: filters, registration of tiles, nuclei, features. No I/O."""
