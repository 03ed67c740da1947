"""A suite's scores do not depend on whether an adapter is merged, or how a model is kept."""

from pathlib import Path
from typing import Any

import pytest

from harness.evaluation.evaluate import Evaluation, evaluate
from harness.models.loading import load_model
from harness.params.training import LoraParams
from harness.training.sft import train
from tests.helpers.sft_rows import PARAMS as TRAIN
from tests.helpers.sft_rows import ROWS
from tests.helpers.small_suite import PARAMS, heldout, write_benchmarks, write_suite


def test_merged_scores_equal_the_adapter_s(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("suite", "benchmarks"):
        (tmp_path / name).mkdir()
    suite, benchmarks = write_suite(tmp_path / "suite"), write_benchmarks(tmp_path / "benchmarks")
    # Every kind of request to a model; running programs would take the most time.
    others = [column for column in suite.columns if column.name != "code"]
    suite = suite.model_copy(update={"columns": others})

    def scored(model: Path, base: Path | None = None) -> Evaluation:
        return evaluate(model, suite, benchmarks, heldout(), PARAMS, 0, base=base)

    for keep in ("full", "adapter"):
        knobs: dict[str, Any] = {"lora": LoraParams(rank=8), "keep_models": keep}
        train(tiny_model, ROWS, tmp_path / keep, TRAIN.model_copy(update=knobs), seed=0)
    full, adapter = scored(tmp_path / "full"), scored(tmp_path / "adapter", tiny_model)
    assert adapter.scores == full.scores
    assert adapter.samples.equals(full.samples)

    def unmerged(folder: Path, base: Path, dtype: object) -> Any:  # noqa: ANN401
        """As others read it: peft's own class, the adapter beside the base."""
        from peft import PeftModel

        from harness.models.adapters import without_peft_warning

        with without_peft_warning():
            return PeftModel.from_pretrained(load_model(base), str(folder / "adapter")).eval()

    monkeypatch.setattr("harness.evaluation.language_model.load_trained", unmerged)
    beside = scored(tmp_path / "adapter", tiny_model)
    assert beside.scores == pytest.approx(full.scores, abs=1e-4)
    items = [one.samples["score"].tolist() for one in (beside, full)]
    assert items[0] == pytest.approx(items[1], abs=1e-4)
    monkeypatch.undo()
    assert scored(tiny_model).scores["bpb"] != pytest.approx(full.scores["bpb"], abs=0.01)
