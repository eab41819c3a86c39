"""Pages, cells and slides in MyST, read by the parser that the book is built with.

Everything else in the tool asks here for what a text holds: `elements` are what MyST has beside Markdown, each with its place in
the text, and `replaced` puts something in their place. Of Markdown itself there are headings, lines in bold, lists, tables, and
a text as HTML.

markdown-it knows the lines of a block, but not where in a line a role stands: the rules that find one are asked.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import accumulate

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline, html_inline, image
from markdown_it.rules_inline import link as link_rule
from markdown_it.token import Token
from mdit_py_plugins.myst_role.index import myst_role
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

EXTENSIONS = ("amsmath", "colon_fence", "deflist", "dollarmath", "tasklist")
"""The extensions of `_config.yml` that change what a text holds."""
_PLACED = {"myst_role": "role", "html_inline": "comment", "image": "image"}
_COMMENT = "<!--", "-->"


@dataclass(frozen=True)
class Element:
    """What MyST has beside Markdown, and where it stands: ``text[start:end]``.

    Attributes
    ----------
    kind : "role", "directive", "equation" (a labelled one), "target", "comment" or "image"
    name : of a role or directive; the label of an equation or target; the address of an image
    content : what a role or comment says, the argument of a directive, the formula, the words of an image
    options, body : of a directive; what stands between its marks, below the options
    body_start : where the body begins in the text
    marks : the colons or backticks around a directive
    """

    kind: str
    name: str
    content: str
    start: int
    end: int
    options: dict[str, str] = field(default_factory=dict)
    body: str = ""
    body_start: int = 0
    marks: str = ""

    @property
    def title(self) -> str | None:
        """Of a role that is written `` {role}`title <target>` ``, the title; None without one."""
        return self._parts[0]

    @property
    def target(self) -> str:
        """What a role refers to.

        >>> [element] = elements("{numref}`the figure <fig-a>`")
        >>> element.title, element.target
        ('the figure', 'fig-a')
        """
        return self._parts[1]

    @property
    def _parts(self) -> tuple[str | None, str]:
        title, opened, target = self.content.rpartition("<")
        return (title.strip(), target[:-1]) if opened and title.strip() and target.endswith(">") else (None, self.content)


def _placed(rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    """A rule for one kind of token, which says where in the text it stands."""

    def placed(state: StateInline, silent: bool) -> bool:
        start, known = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        for token in state.tokens[known:]:
            token.meta.setdefault("place", (start, state.pos))
        return True

    return placed


def _formula(self: RendererHTML, tokens: list[Token], index: int, *_: object) -> str:
    """Mathematics as MathJax reads it, in Moodle too."""
    token = tokens[index]
    formula = html.escape(token.content.strip())
    if token.type == "math_inline":
        return f'<span class="math inline">\\({formula}\\)</span>'
    return f'<div class="math block">\n\\[{formula}\\]\n</div>\n'


@cache
def _parser() -> MarkdownIt:
    parser = create_md_parser(MdParserConfig(enable_extensions=set(EXTENSIONS)), RendererHTML)
    for name, rule in (("myst_role", myst_role), ("html_inline", html_inline), ("image", image), ("link", link_rule)):
        parser.inline.ruler.at(name, _placed(rule))
    for kind in ("math_inline", "math_block", "math_block_label", "amsmath"):
        parser.add_render_rule(kind, _formula)
    return parser


@lru_cache(maxsize=64)
def _tokens(text: str) -> tuple[Token, ...]:
    return tuple(_parser().parse(text))


def _starts(lines: list[str]) -> list[int]:
    """Where each line begins in a text, and where one more would."""
    return [0, *accumulate(len(line) + 1 for line in lines)]


def elements(text: str) -> list[Element]:
    """What MyST has beside Markdown in a text, in its order; what stands within a directive is left to its body.

    >>> [(element.kind, element.name) for element in elements("See {eq}`eq-a`, not `{eq}`.\\n\\n$$ y = x $$ (eq-a)")]
    [('role', 'eq'), ('equation', 'eq-a')]
    """
    lines = text.split("\n")
    starts = _starts(lines)
    found: list[Element] = []
    done = 0
    for token in _tokens(text):
        # Cells of a table share a line, which is read once.
        if not token.map or token.map[0] < done or (token.nesting and token.type != "tr_open"):
            continue
        first, last = token.map
        start, end = starts[first], starts[last] - 1
        source = text[start:end].rstrip()
        if token.type in ("inline", "tr_open"):
            found += inline_elements(source, start)
        elif token.type in ("fence", "colon_fence") and token.info.startswith("{"):
            found.append(_directive(token, lines[first:last], start, end))
        elif token.type == "math_block_label":
            opened, closed = source.index("$$"), source.rindex("$$")
            found.append(Element("equation", token.info, source[opened + 2 : closed], start + opened, start + len(source)))
        elif token.type == "myst_target":
            found.append(Element("target", token.content, "", start, start + len(source)))
        elif token.type == "html_block":
            found += _comments(source, start)
        done = last
    return found


def inline_elements(text: str, start: int = 0) -> list[Element]:
    """The roles, comments and images in a line of text, or in HTML; `start` is where it stands.

    >>> [element] = inline_elements("<td>{doc}`b`</td>")
    >>> element.name, element.content, element.start
    ('doc', 'b', 4)
    """
    (whole,) = _parser().parseInline(text)
    found = []
    for token in whole.children or ():
        if token.type not in _PLACED:
            continue
        first, last = token.meta["place"]
        kind, content = _PLACED[token.type], " ".join(token.content.split())
        if kind == "comment":
            found += _comments(text[:last], start, first)
        else:
            name = str(token.attrGet("src")) if kind == "image" else token.meta["name"]
            found.append(Element(kind, name, content, start + first, start + last))
    return found


def _comments(text: str, start: int, begin: int = 0) -> Iterator[Element]:
    """Comments in HTML, each with the blanks before it."""
    opened, closed = _COMMENT
    while (first := text.find(opened, begin)) >= 0 and (last := text.find(closed, first)) >= 0:
        begin, before = last + len(closed), len(text[:first].rstrip(" \t"))
        content = " ".join(text[first + len(opened) : last].split())
        yield Element("comment", "", content, start + before, start + begin)


def _directive(token: Token, lines: list[str], start: int, end: int) -> Element:
    name, _, argument = token.info.strip().removeprefix("{").partition("}")
    closed = len(lines) > 1 and lines[-1].strip() == token.markup
    inner, options, at = lines[1 : len(lines) - closed], {}, len(lines[0]) + 1
    while inner and inner[0].startswith(":"):
        option, colon, value = inner[0][1:].partition(":")
        if not colon or not option or " " in option:
            break
        options[option] = value.strip()
        at += len(inner.pop(0)) + 1
    return Element("directive", name, argument.strip(), start, end, options, "\n".join(inner), start + at, token.markup)


def _within(element: Element) -> bool:
    """Whether a directive holds Markdown: by convention those between colons do."""
    return element.kind == "directive" and element.marks.startswith(":")


def all_elements(text: str) -> Iterator[Element]:
    """The elements of a text, those in arguments and bodies of directives too; their places are those in there.

    >>> [element.name for element in all_elements(":::{note} By {eq}`a`\\n{eq}`b`\\n:::")]
    ['note', 'eq', 'eq']
    """
    for element in elements(text):
        yield element
        if _within(element):
            yield from inline_elements(element.content)
            yield from all_elements(element.body)


def replaced(text: str, becomes: Callable[[Element], str | None], found: list[Element] | None = None) -> str:
    """A text with each of its elements, or of those that were `found`, as `becomes` has it.

    For None a element stays, and what a directive holds is gone through. A block of which nothing remains leaves no line.

    >>> replaced("{doc}`a`, {eq}`b`", lambda element: element.target.upper() if element.name == "doc" else None)
    'A, {eq}`b`'
    """
    out, end = [], 0
    for element in elements(text) if found is None else found:
        new = becomes(element)
        out.append(text[end : element.start])
        end = element.end
        if new is None and _within(element):
            inside = element.body_start + len(element.body)
            new = text[element.start : element.body_start] + replaced(element.body, becomes) + text[inside:end]
        elif new == "" and element.kind == "directive":
            end += 1
        out.append(text[element.start : element.end] if new is None else new)
    return "".join([*out, text[end:]])


def without_links(text: str) -> str:
    """HTML in which the links that Markdown has are their words.

    >>> without_links("<td>[5](#x)</td>")
    '<td>5</td>'
    """
    (whole,) = _parser().parseInline(text)
    out, end = [], 0
    for token in whole.children or ():
        if token.type == "link_open" and not token.markup:
            first, last = token.meta["place"]
            out += [text[end:first], text[first + 1 : text.rindex("](", first, last)]]
            end = last
    return "".join([*out, text[end:]])


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of each heading.

    >>> headings("# One\\n\\n```\\n# no\\n```\\n\\n## Two")
    [(1, 'One'), (2, 'Two')]
    """
    tokens = _tokens(text)
    return [
        (int(token.tag[1:]), tokens[n + 1].content.strip()) for n, token in enumerate(tokens) if token.type == "heading_open"
    ]


def headed(text: str) -> tuple[int, str, str] | None:
    """Level and words of the heading that a text begins with, and what stands below it; None where it begins with another thing.

    >>> headed("## One\\n\\nText.")
    (2, 'One', 'Text.')
    """
    tokens = _tokens(text)
    if not tokens or tokens[0].type != "heading_open" or not tokens[0].map:
        return None
    return int(tokens[0].tag[1:]), tokens[1].content.strip(), "\n".join(text.split("\n")[tokens[0].map[1] :]).strip()


def has_table(text: str) -> bool:
    """Whether a table stands in a text, outside of directives."""
    return any(token.type == "table_open" for token in _tokens(text))


def bold_lines(text: str) -> list[tuple[str, int, int]]:
    """The lines that stand in bold: the words of each, and where it begins and ends.

    >>> bold_lines("Why?\\n\\n**Goals**\\n- one\\n")
    [('Goals', 6, 15)]
    """
    starts = _starts(text.split("\n"))
    return [
        (token.content[2:-2], starts[token.map[0]], starts[token.map[1]] - 1)
        for token in _tokens(text)
        if token.type == "inline"
        and token.level == 1
        and token.map
        and token.content == f"**{token.content[2:-2].replace('**', '')}**"
    ]


def items(text: str) -> list[str]:
    """The items of the lists in a text, each on one line.

    >>> items("- one\\n- and\\n  two\\n")
    ['one', 'and two']
    """
    found: list[list[str]] = []
    for token in _tokens(text):
        if token.type == "list_item_open":
            found.append([])
        elif token.type == "inline" and found:
            found[-1] += token.content.split()
    return [" ".join(words) for words in found]


def as_html(text: str, link: Callable[[str], dict[str, str] | None] | None = None) -> str:
    """Markdown with formulas between dollars as HTML with formulas as MathJax reads them, in Moodle too.

    `link` has the attributes of a link to an address; None where its words stay alone.

    >>> as_html("It is $x_1$, [here](b).", lambda address: None)
    '<p>It is <span class="math inline">\\\\(x_1\\\\)</span>, here.</p>\\n'
    """
    parser = _parser()
    tokens = parser.parse(text)
    for block in tokens:
        if link and block.children:
            block.children = list(_relinked(block.children, link))
    return parser.renderer.render(tokens, parser.options, {})


def _relinked(tokens: list[Token], link: Callable[[str], dict[str, str] | None]) -> Iterator[Token]:
    kept = True  # links do not hold links
    for token in tokens:
        if token.type == "link_open":
            attributes = link(str(token.attrGet("href")))
            kept = attributes is not None
            token.attrs |= attributes or {}
        if kept or token.type not in ("link_open", "link_close"):
            yield token
