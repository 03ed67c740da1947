"""The reward model that scores read: trained here, a local folder, or a hub model."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.files import replacing_folder, write_json
from harness.common.schemas import PREFERENCES, read_frame
from harness.common.stores import read_sealed, seal
from harness.common.timings import set_apart
from harness.models.loading import model_folder
from harness.models.size import parameter_counts
from harness.params.reward_model import RewardParams
from harness.reward_model.classifier import check_classifier

if TYPE_CHECKING:
    import pandas as pd

INFO = "reward_model.json"


def make_reward_model(
    params: RewardParams, base: Path, pairs: Path, out: Path, unseen: "pd.DataFrame | None" = None
) -> None:
    """Write the reward model, sealed, and ``reward_model.json``: source, size, accuracy, cost.

    If ``params`` name ``base`` as the source, it is trained from the base model on ``pairs``, the
    preferences table; without rows there is no model but the JSON, which says so. ``unseen`` are
    further pairs for accuracy by kind of fault, never trained on. ``out`` is replaced at the end.
    """
    with replacing_folder(out) as folder:
        info: dict[str, Any] = {"source": params.source}
        if params.source != "base":
            source = model_folder(params.source, params.revision)
            check_classifier(source)
            shutil.copytree(source, folder, dirs_exist_ok=True)
        else:
            from harness.reward_model.training import train_reward

            table = read_frame(pairs, PREFERENCES)
            if not len(table):
                info["none"] = f"{pairs} holds no pairs to train a reward model on"
            else:
                read_sealed(base, "dvc repro base_model")
                info |= train_reward(base, table, folder, params, unseen)
        if "none" not in info:
            info |= parameter_counts(folder)
        write_json(folder / INFO, info)
        set_apart(folder, out, INFO)
        seal(folder)
