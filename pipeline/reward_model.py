"""Make a reward model: train it on preference pairs, or take a local folder or a hub model."""

from harness.common import layout
from harness.common.schemas import FAULTS, PREFERENCE_FAULTS
from harness.params.params import MAIN, load_params
from pipeline.stage import entry, main

UNSEEN_PAIRS = 400


def run(name: str) -> None:
    """Make a reward model: train it on preference pairs, or take a local folder or a hub model.

    In the lab it is measured, too, on the kinds of fault that it was not trained on.
    """
    from harness.lab.world import build_preferences
    from harness.reward_model.make import make_reward_model

    params = load_params()
    item = params.reward_model
    if name:
        item = entry(params.reward_models, name, "reward_models", "reward model")
    unseen = None
    if params.prepare.source == "lab" and item.source == "base":
        faults = [fault for fault in FAULTS if fault not in PREFERENCE_FAULTS]
        some = params.lab.model_copy(update={"preferences": UNSEEN_PAIRS})
        unseen = build_preferences(some, faults, "preferences/unseen")
    folder = layout.REWARD_MODELS / (name or MAIN)
    make_reward_model(item, layout.BASE_MODEL, layout.PREFERENCES_FILE, folder, unseen)


if __name__ == "__main__":
    main(run, ("name?", "one of params.yaml: reward_models; without it, reward_model"))
