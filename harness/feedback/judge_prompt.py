"""What the judge is asked, and how its rating is read.

"Diversify and Conquer" (arXiv 2409.11378): `prompts/judge.txt` is figure 6's template, after Zheng
et al. 2023. The numbers of its scale are filled in, since the text of appendix C has ratings of 1
to 5 and the figure 1 to 10.
"""

import re
from functools import cache
from pathlib import Path
from string import Template

PROMPT = Path(__file__).parent / "prompts" / "judge.txt"
# As models write the tags, since an answer may speak of them: the first at the start of a line, the
# last at the end of one where nothing began.
_BEGIN, _END = r"^\s*<(?:think|thinking|reasoning)>", r"</(?:think|thinking|reasoning)>"
_THINKING = re.compile(f"{_BEGIN}.*?{_END}", re.MULTILINE | re.DOTALL)
_THINKING_BEGINS = re.compile(_BEGIN, re.MULTILINE)
_THINKING_ENDS = re.compile(rf"{_END}\s*$", re.MULTILINE)
_RATING = re.compile(r"\[\[\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*\]\]")


@cache
def _template() -> Template:
    return Template(PROMPT.read_text(encoding="utf-8").removesuffix("\n"))


def judge_prompt(instruction: str, response: str, scale: int) -> str:
    """Figure 6 with its texts filled in; its example is the middle of the scale, as printed."""
    return _template().substitute(
        scale=scale, example=(scale + 1) // 2, instruction=instruction, response=response
    )


def after_thinking(text: str) -> str | None:
    """What an answer says after its thinking; None where that does not end.

    A template may begin the thinking itself: then there is its end alone.
    """
    said = _THINKING_ENDS.split(_THINKING.sub("", text))[-1]
    return None if _THINKING_BEGINS.search(said) else said


def read_rating(text: str, scale: int) -> float | None:
    """The last "[[rating]]" of an answer, its thinking left out.

    None where there is none or it is off the scale.
    """
    found = _RATING.findall(after_thinking(text) or "")
    rating = float(found[-1]) if found else 0.0
    return rating if 1 <= rating <= scale else None
