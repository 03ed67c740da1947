"""The base model of every run: pretrained here, packaged, a local folder, or a hub model."""

import shutil
from pathlib import Path
from typing import Any

from harness.common.errors import InputError
from harness.common.files import replacing_folder, write_json
from harness.common.schemas import PRETRAINING, read_frame
from harness.common.stores import seal
from harness.common.timings import set_apart
from harness.params.base_model import PretrainParams


def make_base_model(params: PretrainParams, template: str, texts: Path, out: Path) -> None:
    """Write the base model, sealed, and ``base_model.json``: its source, size and cost.

    ``template`` names our chat template for a model without one; ``texts`` is the pretraining
    table, read for the source ``scratch`` only. ``out`` is replaced once the model is complete.
    """
    from harness.models.loading import load_tokenizer
    from harness.models.size import parameter_counts
    from harness.models.sources import source_tokenizer
    from harness.models.template import ensure_template

    with replacing_folder(out) as folder:
        info = _write_model(params, texts, folder)
        try:
            if params.source == "scratch":
                tokenizer = load_tokenizer(folder)
                ensure_template(tokenizer, template)
            else:
                tokenizer = source_tokenizer(params.source, params.revision, template)
            tokenizer.save_pretrained(folder)
            _check(folder, params.source)
        except InputError as error:
            # The folder is removed by then: name the user's source instead.
            raise InputError(str(error).replace(str(folder), params.source)) from None
        info |= {"source": params.source, **parameter_counts(folder)}
        write_json(folder / "base_model.json", info)
        set_apart(folder, out, "base_model.json")
        seal(folder)


def _write_model(params: PretrainParams, texts: Path, folder: Path) -> dict[str, Any]:
    """Write the model, and its tokenizer unless packaged; what ``base_model.json`` says of it."""
    from harness.models.loading import MODEL_FILES, model_folder, without_bars
    from harness.models.packaged import PACKAGED, packaged_model

    if params.source == "scratch":
        from harness.base_model.pretraining import pretrain

        documents = read_frame(texts, PRETRAINING)["text"].tolist()
        if not documents:
            raise InputError(f"{texts}: no text to pretrain a scratch base model on")
        return pretrain(documents, folder, params, params.seed)
    if params.source in PACKAGED:
        model = packaged_model(params.source)
        with without_bars():
            model.save_pretrained(folder)
        return PACKAGED[params.source].card()
    source = model_folder(params.source, params.revision)
    for file in (file for pattern in MODEL_FILES for file in source.glob(pattern)):
        shutil.copy(file, folder)  # follows links, of which the hub's cache consists
    return {}


def _check(folder: Path, name: str) -> None:
    """Raise InputError for a model that would fail, or prove useless, hours later."""
    import torch

    from harness.models.loading import load_model, load_tokenizer
    from harness.models.template import check_template

    model, tokenizer = load_model(folder), load_tokenizer(folder)
    for weight, values in model.named_parameters():
        if not torch.isfinite(values).all():
            raise InputError(f"{name}: {weight} holds NaN or infinity; fetch the model again")
    embedding: Any = model.get_input_embeddings()
    rows = embedding.num_embeddings
    if len(tokenizer) > rows:
        mismatch = f"the tokenizer has {len(tokenizer)} tokens, the model embeds {rows}"
        raise InputError(f"{name}: {mismatch}; they belong to different models")
    check_template(tokenizer)
