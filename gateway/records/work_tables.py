"""The tables of what people work on: jobs, saved views, the history of a dataset's description."""
