"""One file per tool; the registry finds them and nobody imports one by name."""
