"""Selections in rounds as a stage runs them: phases, executors, journal, results."""
