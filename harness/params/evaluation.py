"""The knobs of an evaluation, apart from the code that needs torch."""

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.params.section import Batch, Device, Processes, Section, Threads


class EvaluateParams(Section):
    """How a model is evaluated; the batch size is fixed because scores depend on it."""

    suite: str
    batch_size: Batch = 64
    limit: int | None = Field(default=None, ge=1, le=10**9)  # first so many items of every column
    threads: Threads | None = 1  # null leaves torch's own
    device: Device = "auto"
    processes: Processes = 1  # that share a model's items, one a device
    # Prompts in the model's chat template; false: plain text, as published numbers have it.
    chat_template: bool = True
    # What generates answers; log-likelihoods are always transformers'. endpoint: the server below.
    backend: Literal["hf", "vllm", "endpoint"] = "hf"
    # The command of a server of OpenAI's completions API; {model} and {port} are replaced.
    server: list[str] | None = None
    # Answers a prompt of benchmarks whose answers are programs, and their temperature; null: as the
    # task's file says.
    code_samples: int | None = Field(default=None, ge=1, le=10_000)
    code_temperature: float | None = Field(default=None, gt=0, le=10)
    allow_unisolated: bool = False  # run programs that the model wrote without the sandbox

    @model_validator(mode="after")
    def _server_is_used_and_whole(self) -> Self:
        words = " ".join(self.server or ())
        needed = self.backend == "endpoint" or self.server is not None
        if needed and self.backend != "hf" and not ("{model}" in words and "{port}" in words):
            rule = f"backend is {self.backend}, but server is no command with {{model}}, {{port}}"
            raise ValueError(f"{rule}: [llama-server, --model, '{{model}}', --port, '{{port}}']")
        if self.backend == "hf" and self.server is not None:
            raise ValueError("backend is hf, which asks no server; say backend: endpoint")
        if self.backend != "hf" and self.processes > 1:
            rule = f"backend {self.backend} shares its work itself, but processes is"
            raise ValueError(f"{rule} {self.processes}; say processes: 1")
        return self
