"""Make the reward model: train it on preference pairs, or take a local folder or a hub model."""

from harness.common import layout
from harness.common.schemas import FAULTS, PREFERENCE_FAULTS
from harness.params.params import load_params
from pipeline.stage import main

UNSEEN_PAIRS = 400


def run() -> None:
    """Make the reward model: train it on preference pairs, or take a local folder or a hub model.

    In the lab it is measured, too, on the kinds of fault that it was not trained on.
    """
    from harness.lab.world import build_preferences
    from harness.reward_model.make import make_reward_model

    params = load_params()
    unseen = None
    if params.prepare.source == "lab" and params.reward_model.source == "base":
        faults = [fault for fault in FAULTS if fault not in PREFERENCE_FAULTS]
        some = params.lab.model_copy(update={"preferences": UNSEEN_PAIRS})
        unseen = build_preferences(some, faults, "preferences/unseen")
    make_reward_model(
        params.reward_model,
        layout.BASE_MODEL,
        layout.PREFERENCES_FILE,
        layout.REWARD_MODEL,
        unseen,
    )


if __name__ == "__main__":
    main(run)
