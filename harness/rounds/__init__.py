"""The stage of selections in rounds: phases, executors, journal, results."""
