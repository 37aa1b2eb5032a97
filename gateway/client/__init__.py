"""The gateway over HTTP, with the calls of in-process use."""
