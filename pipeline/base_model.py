"""Make the base model: pretrain it here, or take a local folder or a hub model."""

from harness import layout
from harness.params import load_params
from pipeline.stage import main


def run() -> None:
    """Make the base model: pretrain it here, or take a local folder or a hub model."""
    from harness.base_model import make_base_model

    params = load_params()
    make_base_model(params.base_model, params.template, layout.PRETRAINING_FILE, layout.BASE_MODEL)


if __name__ == "__main__":
    main(run)
