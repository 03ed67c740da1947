"""The rows of a training step, shared by several processes: the batch stays that of one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.common.errors import InputError
from harness.launching.ranks import gathered, rank, world
from harness.params.training import TrainParams

if TYPE_CHECKING:
    from torch.utils.data import DataLoader, Sampler
    from trl.trainer.sft_trainer import SFTTrainer


class Share(NamedTuple):
    """How one process reads its share of a step's rows: ``accumulated`` times ``rows``."""

    rows: int
    accumulated: int


def share_of(params: TrainParams, processes: int) -> Share:
    """The share of a step, of batch_size * gradient_accumulation rows however many share it.

    At most ``batch_size`` rows are read at once. InputError where the rows cannot be shared out.
    """
    whole = params.batch_size * params.gradient_accumulation
    own, rest = divmod(whole, processes)
    if rest:
        rule = f"a step of batch_size {params.batch_size} x gradient_accumulation "
        rule += f"{params.gradient_accumulation} has {whole} rows, which {processes} processes"
        raise InputError(f"train.processes: {rule} cannot share evenly; change one of the three")
    rows = max(n for n in range(1, params.batch_size + 1) if own % n == 0)
    return Share(rows, own // rows)


class SharedBatches:
    """The batches that this process reads: of each step's rows every n-th.

    In the order in which one process alone would read the rows, which the first process draws. The
    last step of an epoch may have fewer rows than processes: ``blank``, a row without anything to
    learn, is read where there is none.
    """

    def __init__(self, order: "Sampler[int]", share: Share, blank: int) -> None:
        self.order, self.share, self.blank = order, share, blank
        self.size = share.rows * share.accumulated * world()

    def __iter__(self) -> Iterator[list[int]]:
        order = gathered(list(self.order))[0]
        for start in range(0, len(order), self.size):
            rows = order[start : start + self.size]
            own = rows[rank() :: world()]
            for at in range(0, -(-len(rows) // world()), self.share.rows):
                yield own[at : at + self.share.rows] or [self.blank]

    def __len__(self) -> int:
        steps, rest = divmod(len(self.order), self.size)  # pyright: ignore[reportArgumentType]
        last = -(-rest // world())
        return steps * self.share.accumulated - (-last // self.share.rows)


def sharing(kind: "type[SFTTrainer]") -> "type[SFTTrainer]":
    """A trainer whose processes share each step's rows; the last row of its dataset is blank."""
    from accelerate.data_loader import SeedableRandomSampler
    from torch.utils.data import DataLoader, RandomSampler

    class SharingTrainer(kind):
        def get_train_dataloader(self) -> "DataLoader[Any]":
            whole: Any = self.train_dataset
            data: Any = self._remove_unused_columns(whole, "training")
            rows = data.select(range(len(data) - 1))
            own, args = self.args.train_batch_size, self.args
            # Rows of like length are sought among as many as one process would read in a step.
            args.per_device_train_batch_size = own * world()
            order: Any = self._get_train_sampler(rows)
            args.per_device_train_batch_size = own
            if isinstance(order, RandomSampler):  # as accelerate makes it of one process
                order = SeedableRandomSampler(rows, data_seed=args.data_seed)
            share = Share(own, args.gradient_accumulation_steps)
            batches: Any = SharedBatches(order, share, blank=len(rows))
            return DataLoader(data, batch_sampler=batches, collate_fn=self.data_collator)

    return SharingTrainer
