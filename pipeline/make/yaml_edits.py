"""Edits to YAML as text: comments, order, anchors and merge keys stay as they were written."""

import re
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

Edit = tuple[int, int, str]  # what takes the place of the characters from one index to another
Pair = tuple[Any, Any]  # the nodes of a key and its value, as PyYAML composes them
ALIAS = "alias"  # the tag of a node that stands for an alias (*)


def merged(text: str, changes: str) -> str:
    """A file's text with ``changes`` in it: mappings are merged, any other value is replaced.

    ``changes`` is YAML that may use anchors of ``text``. A new key follows the key that it follows
    there. A comment and an anchor stay unless the change brings another; an empty mapping replaces
    a full one. Lines of another indentation are shifted.
    """
    import yaml

    text = text.rstrip("\n") + "\n"
    both = f"{text}{changes}\n"
    node = _compose(both)
    assert isinstance(node, yaml.MappingNode)
    new = [pair for pair in node.value if pair[0].start_mark.index >= len(text)]
    node.value = node.value[: len(node.value) - len(new)]
    # From the end, so that the indices before an edit hold; those of one place keep their order.
    for start, end, part in reversed(sorted(_edits(both, node, new), key=lambda edit: edit[0])):
        text = text[:start] + part + text[end:]
    return text


def yaml_of(values: Mapping[str, Any]) -> str:
    """Values as YAML on one line."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = True, 10_000
    lines = []
    for key, value in values.items():
        stream = StringIO()
        yaml.dump(value, stream)
        lines.append(f"{key}: {stream.getvalue()}")
    return "".join(lines)


def _compose(text: str) -> Any:  # noqa: ANN401
    """The nodes of a text, an alias (*) being a scalar of its own: it is written, not its value."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:  # noqa: ANN401
            event = self.peek_event()
            if isinstance(event, yaml.AliasEvent):
                super().compose_node(parent, index)  # an error where there is no such anchor
                return yaml.ScalarNode(ALIAS, event.anchor, event.start_mark, event.end_mark)
            if event.anchor in self.anchors:
                problem = f"&{event.anchor} is given already; leave it out or rename it"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
            return super().compose_node(parent, index)

    return yaml.compose(text, Loader=Loader)


def _edits(text: str, old: Any, new: list[Pair]) -> Iterator[Edit]:  # noqa: ANN401
    """What merges some pairs into a mapping that is not empty."""
    import yaml

    pairs = {key.value: (key, value) for key, value in old.value}
    before, seen = old.value[-1], set[str]()
    for key, value in new:
        if key.id != "scalar" or key.value in seen:
            rule = "a key is no text" if key.id != "scalar" else f"{key.value} is given twice"
            raise yaml.MarkedYAMLError(problem=f"not YAML: {rule}", problem_mark=key.start_mark)
        seen.add(key.value)
        if key.value not in pairs:
            yield _insertion(text, old, before, (key, value))
            continue
        before = pairs[key.value]
        if _is_full(before[1]) and _is_full(value):
            if anchor := _anchors(text, before, (key, value))[1]:
                colon = _after_colon(text, before)
                yield colon, colon, f" {anchor}"
            yield from _edits(text, before[1], value.value)
        else:
            yield _replacement(text, before, (key, value))


def _is_full(node: Any) -> bool:  # noqa: ANN401
    return node.id == "mapping" and bool(node.value)


def _insertion(text: str, old: Any, before: Pair, new: Pair) -> Edit:  # noqa: ANN401
    source = text[new[0].start_mark.index : new[1].end_mark.index]
    if old.flow_style:
        end = before[1].end_mark.index
        return end, end, f", {source}"
    end = _lines(text, before)[1]
    if _is_whole_line(text, new):
        return end, end, "\n" + _shifted(text, new, before)
    return end, end, "\n" + " " * before[0].start_mark.column + source


def _replacement(text: str, old: Pair, new: Pair) -> Edit:
    """The new value in the old one's place, or the new lines where they have comments or blocks."""
    (start, end), new_end = _lines(text, old), _lines(text, new)[1]
    value_start, value_end = old[1].start_mark.index, old[1].end_mark.index
    anchor = _anchors(text, old, new)[0]
    value = text[new[1].start_mark.index : new[1].end_mark.index]
    value = f"{anchor} {value}" if anchor else value
    rest = text[new[1].end_mark.index : new_end].strip()
    lines = _shifted(text, new, old, anchor)
    blocks = any(node.id != "scalar" and not node.flow_style for node in (old[1], new[1]))
    blocks |= new[0].end_mark.line < new[1].start_mark.line
    whole_lines = _is_whole_line(text, new) and _is_whole_line(text, old)
    if whole_lines and (blocks or "#" in rest or lines.lstrip().startswith("#")):
        if not lines.lstrip().startswith("#"):
            start = _line_start(text, old[0])
        return start, end, lines
    comment = text[value_end:end]
    if comment.lstrip().startswith("#") and comment.startswith("  "):  # its column stays
        spaces = len(comment) - len(comment.lstrip()) + value_end - value_start - len(value)
        return value_start, end, value + " " * max(1, spaces) + comment.lstrip()
    return value_start, value_end, value


def _anchors(text: str, old: Pair, new: Pair) -> tuple[str, str]:
    """The anchors (&) of both values, empty without one; an error where the new one replaces it."""
    import yaml

    was, now = (re.match(r"(&\S+)?", text[pair[1].start_mark.index :]) for pair in (old, new))
    assert was is not None
    assert now is not None
    if was[0] and (now[0] or new[1].tag == ALIAS):
        problem = (
            f"{was[0]} may be used elsewhere in what this extends; write the value without a name"
        )
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=new[1].start_mark)
    return was[0], now[0]


def _after_colon(text: str, pair: Pair) -> int:
    return text.index(":", pair[0].end_mark.index) + 1


def _shifted(text: str, new: Pair, old: Pair, anchor: str = "") -> str:
    """The lines of a pair, indented as those of another; an anchor before its value."""
    start, stop = _lines(text, new)
    colon = _after_colon(text, new)
    lines = text[start:colon] + (f" {anchor}" if anchor else "") + text[colon:stop]
    shift = old[0].start_mark.column - new[0].start_mark.column
    if shift > 0:
        return re.sub(r"^(?=[^\n])", " " * shift, lines, flags=re.MULTILINE)
    return re.sub(rf"^ {{0,{-shift}}}", "", lines, flags=re.MULTILINE)


def _line_start(text: str, node: Any) -> int:  # noqa: ANN401
    return text.rfind("\n", 0, node.start_mark.index) + 1


def _is_whole_line(text: str, pair: Pair) -> bool:
    """Whether nothing but spaces stands before a key: it is no part of a flow mapping."""
    return not text[_line_start(text, pair[0]) : pair[0].start_mark.index].strip()


def _lines(text: str, pair: Pair) -> tuple[int, int]:
    """Where the lines of a pair begin, with the comments above it, and end."""
    start = _line_start(text, pair[0])
    while (above := text[:start].splitlines(keepends=True)[-1:]) and above[0].lstrip()[:1] == "#":
        start -= len(above[0])
    value = pair[1]
    if value.id == "scalar" or value.flow_style:
        return start, text.find("\n", value.end_mark.index)
    lines = text[: value.end_mark.index].splitlines(keepends=True)
    while not lines[-1].strip() or lines[-1].lstrip().startswith("#"):
        lines.pop()  # PyYAML takes what follows a block for a part of it
    return start, len("".join(lines).rstrip("\n"))
