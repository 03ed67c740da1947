"""MLflow as a view of the results, rebuilt from the files at any time."""
