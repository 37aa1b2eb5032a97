"""Jobs: calls that people ask for in the browser, each run in a process of its own."""
