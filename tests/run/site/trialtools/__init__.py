"""Tools that the tests of the engine run."""
