"""What each subset is before any training, from its files to tables, plots and a map."""

from harness.selection_report.study import write_selection_report

__all__ = ["write_selection_report"]
