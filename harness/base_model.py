"""The base model every run starts from: pretrained here, a local folder, or a hub model."""

import shutil
from pathlib import Path

from harness.errors import InputError
from harness.files import replacing_folder, weights_hash, write_json
from harness.pretraining_params import PretrainParams
from harness.schemas import PRETRAINING, read_frame


def make_base_model(params: PretrainParams, template: str, texts: Path, out: Path) -> None:
    """Write the base model and ``base_model.json``: its source, hash and cost.

    Args:
        params: where it comes from, and how it is pretrained where that is ``scratch``.
        template: our chat template to give it where it has none of its own.
        texts: the pretraining table, read for ``scratch`` only.
        out: a folder; replaced when the model is complete.
    """
    from harness.models import load_tokenizer
    from harness.template import ensure_template

    with replacing_folder(out) as folder:
        if params.source == "scratch":
            from harness.pretraining import pretrain

            documents = read_frame(texts, PRETRAINING)["text"].tolist()
            if not documents:
                raise InputError(f"{texts}: no text to pretrain a scratch base model on")
            info = pretrain(documents, folder, params, params.seed)
        else:
            _copy(params, folder)
            info = {}
        tokenizer = load_tokenizer(str(folder))
        ensure_template(tokenizer, template)
        tokenizer.save_pretrained(folder)
        digest = weights_hash(folder)
        write_json(folder / "base_model.json", {"source": params.source, "sha256": digest, **info})


def _copy(params: PretrainParams, folder: Path) -> None:
    from harness.models import load_model, load_tokenizer

    source = Path(params.source)
    if source.is_dir():
        shutil.copytree(source, folder, dirs_exist_ok=True)
        return
    load_model(params.source, params.revision).save_pretrained(folder)
    load_tokenizer(params.source, params.revision).save_pretrained(folder)
