"""Make a base model: pretrain it here, or take a local folder or a hub model."""

from harness.common import layout
from harness.params.params import MAIN, load_params
from pipeline.stage import entry, main


def run(name: str) -> None:
    """Make a base model: pretrain it here, or take a local folder or a hub model."""
    from harness.base_model.make import make_base_model

    params = load_params()
    item = (
        entry(params.base_models, name, "base_models", "base model") if name else params.base_model
    )
    folder = layout.BASE_MODELS / (name or MAIN)
    make_base_model(item, params.template, layout.PRETRAINING_FILE, folder)


if __name__ == "__main__":
    main(run, ("name?", "one of params.yaml: base_models; without it, base_model"))
