"""Time the suite `paper`'s requests beside lm-eval's own model, which shares nothing.

python -m benchmarks.likelihoods --model FOLDER             5 to 10 minutes with SmolLM2-135M
python -m benchmarks.likelihoods --model FOLDER --items 20 --only mmlu

Both get the same requests, in turn, in one process: log-likelihoods, and the answers of GSM8K.
Tokens are those read over all items of a benchmark, so that their ratio is that of the whole suite;
seconds are of the processor, of so many items. Ends with 1 where a log-likelihood differs by more
than 1e-4 of a nat a token.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.common.disk_errors import ending_in_one_line
from harness.evaluation.language_model import language_model
from harness.evaluation.shared_prefix import tokens_read
from harness.evaluation.tasks import prepare_column, quiet
from harness.models.loading import load_model, load_tokenizer
from harness.params.evaluation import EvaluateParams
from harness.params.prepare import PrepareParams
from harness.pools.benchmarks import read_items
from harness.suites import load_suite
from tests.helpers.small_suite import write_lines

COLUMNS = ("mmlu", "hellaswag", "arc_challenge", "truthfulqa", "gsm8k")


def main(argv: list[str] | None = None) -> int:
    """Measure and print; 1 where an answer differs."""
    import torch

    args = _arguments(argv)
    torch.set_num_threads(args.threads)
    suite = load_suite("paper_local")
    ours: Any = language_model(args.model, "cpu", args.batch_size, chat_template=False)
    theirs = _own(args.model, args.batch_size)
    print("benchmark       shots   tokens a request   shared   ratio   seconds   lm-eval   ratio")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in read_items(PrepareParams(source="lab"), suite.data).items():
            write_lines(Path(folder) / f"{name}.jsonl", rows)
        for name in args.only:
            column = suite.column(name)
            params = EvaluateParams(suite="paper_local", limit=args.tokens_of, chat_template=False)
            with quiet():
                prepared = prepare_column(ours, suite, column, Path(folder), params)
                every = [_requests(task, None) for task in prepared.tasks.values()]
                some = _first([one for task in every for one in task], args.items)
                kind = some[0].request_type
                fast, got = _timed(getattr(ours, kind), some)
                slow, expected = _timed(getattr(theirs, kind), some)
            if kind == "generate_until":
                alike = sum(a == b for a, b in zip(got, expected, strict=True))
                print(
                    f"{name:15} {prepared.shots:5d} {'':35}{fast:9.1f} {slow:9.1f} "
                    f"{slow / fast:7.2f}   {alike} of {len(got)} answers alike"
                )
                continue
            fitted = _fitted(ours, [one for task in every for one in task])
            shared, apart = tokens_read(fitted)
            lengths = [len(r.continuation) for r in _fitted(ours, some)]
            pairs = zip(got, expected, lengths, strict=True)
            worst = max(worst, *(abs(a[0] - b[0]) / n for a, b, n in pairs))
            print(
                f"{name:15} {prepared.shots:5d} {apart / len(fitted):18.0f} "
                f"{shared / len(fitted):8.0f} {apart / shared:7.2f} {fast:9.1f} {slow:9.1f} "
                f"{slow / fast:7.2f}",
                flush=True,
            )
    print(f"largest difference of a log-likelihood: {worst:.1e} nats a token")
    return int(worst > 1e-4)


def _own(model: Path, batch_size: int) -> Any:  # noqa: ANN401  (its registration hides its type)
    from lm_eval.models.huggingface import HFLM

    own: Any = HFLM
    loaded: Any = load_model(model)
    with quiet():
        return own(pretrained=loaded, tokenizer=load_tokenizer(model), batch_size=batch_size)


def _requests(task: Any, limit: int | None) -> list[Any]:  # noqa: ANN401
    task.set_fewshot_seed(1234)
    task.build_all_requests(limit=limit)
    return task.instances


def _first(requests: list[Any], items: int) -> list[Any]:
    """Those of the first so many items."""
    kept: dict[tuple[str, int], list[Any]] = {}
    for one in requests:
        kept.setdefault((one.task_name, one.doc_id), []).append(one)
    return [one for own in list(kept.values())[:items] for one in own]


def _fitted(lm: Any, requests: list[Any]) -> list[Any]:  # noqa: ANN401
    lm._items = [(one.task_name, one.doc_id) for one in requests]
    pairs = [lm._encode_pair(*one.args) for one in requests]
    return [lm._fit(item, *pair) for item, pair in zip(lm._items, pairs, strict=True)]


def _timed(run: Callable[..., Any], requests: list[Any]) -> tuple[float, Any]:
    start = time.process_time()
    made = run(requests, disable_tqdm=True)
    return time.process_time() - start, made


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a model's folder")
    parser.add_argument("--items", type=int, default=8, help="items that are timed")
    parser.add_argument("--tokens-of", type=int, default=400, help="items whose tokens are counted")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    return parser.parse_args(argv)


if __name__ == "__main__":
    with ending_in_one_line():
        sys.exit(main())
