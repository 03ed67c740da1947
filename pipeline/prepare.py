"""Read the pool, hold rows out, and write what every later stage starts from."""

from harness.params.params import load_params
from pipeline.stage import main


def run() -> None:
    """Read the pool, hold rows out, and write what every later stage starts from."""
    from harness.pools.prepare import prepare
    from harness.pools.write import write_prepared

    write_prepared(prepare(load_params()))


if __name__ == "__main__":
    main(run)
