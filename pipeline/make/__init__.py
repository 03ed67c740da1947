"""`make repro`, `make check`, `make preset`: the runner, and all that is DVC's."""
