"""Write the page of all results."""

from harness.params.params import load_params
from pipeline.stage import main


def run() -> None:
    """Write the page, results/<preset>/report.html, of the reports that are there."""
    from harness.page.write import write_page

    write_page(load_params())


if __name__ == "__main__":
    main(run)
