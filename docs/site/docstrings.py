"""From the docstrings of this package to Markdown: formulas become code or TeX, examples blocks, tags links.

A docstring is plain text for people who read the code.  It says `P_j[n+1] = alpha P_j[n] + Q_j[n]` without any marks,
where Markdown would take `_` and `*` for emphasis.  `markdown` puts each formula into code font and escapes the rest.
"""

import re
from collections.abc import Iterator

import tex

KEPT = re.compile(r"(`[^`]+`|\[(?:K20|N19|T19)\b[^\]]*\]|(?<!\w)\*[A-Za-z][A-Za-z' -]*\*(?!\w)|https?://\S+)")
TAG = re.compile(r"\[(K20|N19|T19)\b[^\]]*\]")
SECTIONS = {"K20": "decolle", "N19": "surrogate-gradients", "T19": "spikegrad"}  # anchors of the equation index
STRONG = re.compile(r"[_^=\[\]{}*@|<>]|\w'?\(")  # marks that no word has
SYMBOL = r"[B-HJ-Zb-z]|\d[\d.,]*\d|\d|[dD][A-Z]\w*|alpha|beta|gamma|delta|sigma|Theta|theta|eps|tau|lambda\d?|sum|mean"
WEAK = re.compile(rf"\(?-?(?:{SYMBOL})'?\)?|[-+*/x]|\(?\.\.\.\)?|max|min|exp|log|relu|if|else|mod")
JOINS = re.compile(r"(?:if|else|mod|max|min|mean|sum|x|\.\.\.)$")  # may stand in a formula, but not begin or end one
STOP = re.compile(r"(?:(?<!\.)\.|[,;:])+$")  # the end of a part of a sentence, but not of (...)
HEADER = re.compile(r"^[A-Z][A-Za-z ]+$")


def escape(text: str) -> str:
    """The text as Markdown that shows the same characters."""
    return re.sub(r"([\\*_$|#~\[\]])", r"\\\1", text).replace("<", "&lt;").replace(">", "&gt;")


def open_brackets(text: str) -> int:
    """How many more brackets of any kind open than close; an interval [0, 1) counts as closed."""
    return sum(text.count(mark) for mark in "([{") - sum(text.count(mark) for mark in ")]}")


def code(words: list[str]) -> str:
    """A run of words as code if it is a formula; brackets and stops that belong to the sentence stay outside."""
    if not words:
        return ""
    if JOINS.match(words[0]):
        return f"{escape(words[0])} {code(words[1:])}".rstrip()
    if JOINS.match(STOP.sub("", words[-1])):
        return f"{code(words[:-1])} {escape(words[-1])}".lstrip()
    text = " ".join(words)
    body = STOP.sub("", text)
    if not STRONG.search(body) or not re.search(r"\w", body):
        return escape(text)
    head = "(" if body.startswith("(") and open_brackets(body) > 0 else ""
    tail = ")" if body.endswith(")") and open_brackets(body) < 0 else ""
    inner = body[len(head) : len(body) - len(tail)]
    if open_brackets(inner) and len(words) > 1:
        return " ".join(code([word]) for word in words)
    return f"{head}`{inner}`{tail}{text[len(body) :]}"


def sentence(text: str) -> str:
    """Running text without marks: formulas as code, the rest escaped."""
    done: list[str] = []
    run: list[str] = []
    for word in text.split(" "):
        bare = STOP.sub("", word)
        mathematical = bool(STRONG.search(bare) or WEAK.fullmatch(bare))
        if mathematical:
            run.append(word)
        if run and (not mathematical or (bare != word and not open_brackets(" ".join(run)))):
            done.append(code(run))
            run = []
        if not mathematical:
            done.append(escape(word))
    return " ".join([*done, code(run)] if run else done)


def tag(match: re.Match[str]) -> str:
    """A tag such as [K20 Eq. 3] as a link to the paper's part of the equation index."""
    return rf"[\[{match[0][1:-1]}\]](site:equations.html#{SECTIONS[match[1]]})"


def inline(text: str) -> str:
    """One paragraph of a docstring as Markdown."""
    parts = KEPT.split(text)
    return "".join(TAG.sub(tag, part) if n % 2 else sentence(part) for n, part in enumerate(parts))


def blocks(lines: list[str]) -> Iterator[str]:
    """The text of a docstring, block by block: examples, formulas, tables, paragraphs."""
    for block in re.split(r"\n(?:[ ]*\n)+", "\n".join(lines)):
        if block.startswith(">>> "):
            yield f"```pycon\n{block}\n```"
        elif block.startswith("    "):
            yield tex.block(block)
        elif block.startswith("|"):
            yield block
        else:
            items = re.split(r"\n(?=- |\d+\. )", block)
            yield "\n".join(inline(" ".join(line.strip() for line in item.split("\n"))) for item in items)


def item(lines: list[str], apart: bool) -> Iterator[str]:
    """One entry of a section, with its description as Markdown; names that share it `apart`, one entry for each."""
    head, *description = lines
    names, mark, kind = head.partition(" : ")
    for name in names.split(", ") if apart else [names]:
        yield f"{name}{mark}{kind}"
        yield from (f"    {inline(line.strip())}" if line.strip() else "" for line in description)


def section(lines: list[str]) -> Iterator[str]:
    """A section of a docstring from its title on; each parameter gets its own default in this way."""
    yield from lines[:2]
    starts = [n for n in range(2, len(lines)) if lines[n] and not lines[n].startswith(" ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield from item(lines[start:end], apart=lines[0] == "Parameters")


def markdown(docstring: str) -> str:
    """A docstring in the style of numpydoc, ready for a reader of numpydoc that takes its texts for Markdown."""
    lines = docstring.split("\n")
    starts = [n for n in range(len(lines) - 1) if HEADER.match(lines[n]) and re.fullmatch(r"-{3,}", lines[n + 1])]
    text = "\n\n".join(blocks(lines[: starts[0]] if starts else lines))
    sections = (section(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=False))
    return "\n".join([text, "", *(line for each in sections for line in each)])
