"""Great Expectations suites, and the runner that turns them into results for asset checks."""
