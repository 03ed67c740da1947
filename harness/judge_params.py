"""placeholder, replaced by the judge branch."""

from pydantic import BaseModel, ConfigDict


class JudgeParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    model: str = "gpt-4-turbo"
