"""From the cells of a study to its tables and plots."""

from harness.report.reading import prune_cells
from harness.report.sensitivity import write_sensitivity_report
from harness.report.study import write_study_report

__all__ = ["prune_cells", "write_sensitivity_report", "write_study_report"]
