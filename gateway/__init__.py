"""Brain Gateway: one place where a lab works on the same chunked brain volumes."""

__version__ = "0.1.0"
