"""From the plain formulas of the docstrings to TeX, where every sign is understood.

    U_i[n] = sum_j W_ij P_j[n] - delta R_i[n] + b_i

is set as mathematics.  A block of which one line is no equation, or has a word that is no symbol, stays as it is:
better plain than wrong.  Words after three blanks are a remark.
"""

import re

GREEK = "alpha beta gamma delta epsilon lambda sigma tau theta Theta"
FUNCTIONS = "arccos clip exp ln loss max min pool relu"
NAMES = {name: rf"\{name}" for name in GREEK.split()} | {
    name: rf"\operatorname{{{name}}}" for name in FUNCTIONS.split()
}
NAMES |= {"sum": r"\sum", "eps": r"\epsilon", "Yhat": r"\hat Y", "gS": "gS", "gU": "gU", "gI": "gI"}
WORDS = {"if": r"\text{ if }", "else": r"\text{ else }", "for": r"\text{ for }", "in": r"\in "}
SIGNS = {
    "<=": r"\le ",
    ">=": r"\ge ",
    "<-": r"\leftarrow ",
    "~": r"\approx ",
    "*": r"\ast ",
    "⋅": r"\cdot ",
    "...": r"\dots ",
}
SIGNS |= {sign: sign for sign in "+-=/()[],:;.><"}
SUBSCRIPT = r"_(?:\{[^{}]*\}|[A-Za-z0-9]+)"
SUPERSCRIPT = r"\^(?:\([^()]*\)|[A-Za-z0-9]+)T?"
TOKEN = re.compile(
    rf"(?P<name>[A-Za-z]+)(?P<digit>\d?)(?P<prime>'?)(?P<scripts>(?:{SUBSCRIPT}|{SUPERSCRIPT})*)(?P<star>\*?)"
    r"|(?P<number>\d+(?:\.\d+)?)|(?P<sign><=|>=|<-|\.\.\.|\S)|(?P<gap>\s+)"
)
TAG = re.compile(r"\[(?:K20|N19|T19)[^\]]*\]")


class NotAFormulaError(Exception):
    """The text has something that is not understood."""


def script(text: str) -> str:
    """What stands below or above a symbol: indices, or the name of a quantity."""
    mark, body = text[0], text[1:]
    if body.startswith("{"):
        return f"{mark}{{{line(body[1:-1])}}}"
    transposed, body = (r"\top", body[:-1]) if mark == "^" and body.endswith("T") else ("", body)
    body = rf"\text{{{body}}}" if re.fullmatch(r"in|bp|[a-z]{3,}", body) and body not in ("kij", "cij") else body
    return f"{mark}{{{body}{transposed}}}"


def symbol(match: re.Match[str]) -> str:
    """A name with what belongs to it."""
    name, digit, scripts = match["name"], match["digit"], match["scripts"]
    if name in WORDS and not scripts:
        return WORDS[name]
    plain = name[1:] if name.startswith("d") and name[1:] in NAMES else name
    if plain not in NAMES and not re.fullmatch(r"[A-Za-z]|d[A-Za-z]", name):
        raise NotAFormulaError(name)
    base = ("d" if plain != name else "") + NAMES.get(plain, plain)
    below = "".join(script(part) for part in re.findall(f"{SUBSCRIPT}|{SUPERSCRIPT}", scripts))
    if digit and "_" in below:
        raise NotAFormulaError(match[0])
    star = "^{*}" if match["star"] else ""
    return f"{base}{match['prime']}{f'_{digit}' if digit else ''}{below}{star} "


def line(text: str) -> str:
    """A line without remarks as TeX."""
    done = []
    for match in TOKEN.finditer(text.replace("  *  ", r" ⋅ ")):
        if match["name"]:
            done.append(symbol(match))
        elif match["number"]:
            done.append(match["number"])
        elif match["gap"]:
            done.append(r"\quad " if len(match["gap"]) > 1 and done[-1] in (",", ";") else "")
        elif match["sign"] in SIGNS:
            done.append(SIGNS[match["sign"]])
        else:
            raise NotAFormulaError(match["sign"])
    return "".join(done)


def aligned(formula: str) -> str:
    """An equation that is set at its first sign of equality."""
    left, sign, _ = formula.partition("=")
    if not sign or any(left.count(a) != left.count(b) for a, b in ("()", "[]", "{}")) or "(x)" in formula:
        raise NotAFormulaError(formula)
    return line(formula).replace("=", "&=", 1)


def equation(text: str) -> str:
    """One line of a block: an equation, perhaps others beside it, a remark and a tag."""
    first, *others = re.split(r"(?<![,;]) {3,}", re.sub(r" +=", " =", TAG.sub("", text)).strip())
    remarks = [other for other in others if "=" not in other]
    if any(re.search(r"[^A-Za-z ,'-]", remark) for remark in remarks):
        raise NotAFormulaError(text)
    beside = [line(other) for other in others if "=" in other]
    notes = [rf"\text{{{remark}}}" for remark in (*remarks, *TAG.findall(text))]
    return r"\qquad ".join([aligned(first), *beside, *notes])


def block(text: str) -> str:
    """A block of formulas as Markdown: set if it is understood, else as it is."""
    try:
        lines = [equation(each) for each in text.strip("\n").split("\n")]
    except NotAFormulaError:
        return text
    return "$$\n\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}\n$$"
