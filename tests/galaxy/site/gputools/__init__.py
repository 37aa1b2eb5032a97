"""A tool that wants a GPU, for the tests of jobs."""
