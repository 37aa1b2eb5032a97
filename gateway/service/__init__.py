"""The use-cases: every face calls these and nothing lower."""
