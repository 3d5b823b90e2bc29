"""Where: which rows a filter keeps, such as `p_lens > 0.9 and not flags contains assumed`.

    filter      = all, joined by "or"           all  = term, joined by "and"
    term        = "not" term | "(" filter ")" | comparison
    comparison  = column, one of = != < <= > >= contains, value
                | column "is" ["not"] "none"

Values with spaces stand in quotes. A filter is read, never executed.
"""

import re
from collections.abc import Callable
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

TOKENS = re.compile(r"\s*(\"[^\"]*\"|'[^']*'|<=|>=|!=|[<>=()]|[^\s<>=!()\"']+)")
COMPARISONS: dict[str, Callable[..., pa.ChunkedArray]] = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "contains": lambda text, part: pc.match_substring(text, str(part), ignore_case=True),
}
MOST_TOKENS = 200


def where(table: pa.Table, text: str) -> Mask:
    """One truth per row of `table`; a comparison with nothing is false. ValueError says what is
    wrong with a filter, and where."""
    if not text.strip():
        return np.ones(table.num_rows, bool)
    return _Reader(table, _tokens(text)).whole()


def _tokens(text: str) -> list[str]:
    found, place = [], 0
    while text[place:].strip():
        match = TOKENS.match(text, place)
        if match is None:
            raise ValueError(f"filter: cannot read {text[place:].strip()[:20]!r}")
        found.append(match[1])
        place = match.end()
    if len(found) > MOST_TOKENS:
        raise ValueError(f"filter: {len(found)} words; at most {MOST_TOKENS} are read")
    return found


class _Reader:
    """Reads a filter's words from left to right."""

    def __init__(self, table: pa.Table, tokens: list[str]) -> None:
        self.table = table
        self.tokens = tokens

    def whole(self) -> Mask:
        mask = self.either()
        if self.tokens:
            raise ValueError(f"filter: 'and' or 'or' is missing before {self.tokens[0]!r}")
        return mask

    def either(self) -> Mask:
        mask = self.both()
        while self.skip("or"):
            mask = mask | self.both()
        return mask

    def both(self) -> Mask:
        mask = self.term()
        while self.skip("and"):
            mask = mask & self.term()
        return mask

    def term(self) -> Mask:
        if self.skip("not"):
            return ~self.term()
        if self.skip("("):
            mask = self.either()
            if not self.skip(")"):
                raise ValueError("filter: a ')' is missing")
            return mask
        return self.comparison()

    def comparison(self) -> Mask:
        column = _column(self.table, self.take("a column"))
        if self.skip("is"):
            wanted = not self.skip("not")
            if self.take("'none'").lower() != "none":
                raise ValueError("filter: after 'is' comes 'none' or 'not none'")
            return _mask(pc.is_null(column, nan_is_null=True)) == wanted
        operator = self.take("a comparison").lower()
        if operator not in COMPARISONS:
            raise ValueError(f"filter: no comparison {operator!r}; choices: {_choices()}, is none")
        return _mask(COMPARISONS[operator](column, _value(column, operator, self.take("a value"))))

    def skip(self, word: str) -> bool:
        """Is `word` next? Then it is read."""
        found = bool(self.tokens) and self.tokens[0].lower() == word
        if found:
            del self.tokens[0]
        return found

    def take(self, what: str) -> str:
        if not self.tokens:
            raise ValueError(f"filter: {what} is missing at the end")
        return self.tokens.pop(0)


def _choices() -> str:
    return " ".join(COMPARISONS)


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    return table[known_column(table, name)]


def known_column(table: pa.Table, name: str) -> str:
    """`name`, if it is a column of `table`; ValueError with the nearest one if not."""
    if name in table.column_names:
        return name
    close = get_close_matches(name, table.column_names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"choices: {', '.join(table.column_names)}"
    raise ValueError(f"no column {name!r}; {hint}")


def _value(column: pa.ChunkedArray, operator: str, word: str) -> str | float:
    """A word as a value to compare with `column`."""
    text = word[1:-1] if word[0] in "\"'" else word
    if pa.types.is_string(column.type):
        return text
    if operator == "contains":
        raise ValueError("filter: 'contains' is for text; this column holds numbers")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"filter: {text!r} is no number") from None


def _mask(truth: pa.ChunkedArray) -> Mask:
    return np.asarray(pc.fill_null(truth, False).to_numpy(), bool)
