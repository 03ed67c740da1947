"""What each subset is before any training, as tables, plots and a map."""

from harness.selection_report.study import write_subset_report

__all__ = ["write_subset_report"]
