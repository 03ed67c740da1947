"""MLflow as a view of the results, rebuilt from the files at any time."""

from harness.tracking.table import study_table
from harness.tracking.upsert import experiment_name, track
from harness.tracking.uri import shown_uri, tracking_uri

__all__ = ["experiment_name", "shown_uri", "study_table", "track", "tracking_uri"]
