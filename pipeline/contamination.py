"""Compare the pool's prompts with the benchmarks' questions by embedding."""

from harness.params.params import load_params
from pipeline.code import code_hash
from pipeline.stage import main


def run() -> None:
    """Compare the pool's prompts with the benchmarks' questions by embedding."""
    from harness.contamination.write import write_contamination

    write_contamination(load_params(), code_hash("contamination"))


if __name__ == "__main__":
    main(run)
