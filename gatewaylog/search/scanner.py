"""The query's text and how far it is read; every part of the grammar reads from one of these."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from gatewaylog.search.query_error import QueryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_SPACE = re.compile(r"\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\|])')
_OPTION = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)\s*=(?!=)\s*")
_BARE = re.compile(r'[^\s|,()"\[\]`]+')
_NAME = re.compile(r'[^\s|,()"=<>!\[\]`]+')
_WORD = re.compile(r'[^\s|,()"]+|.', re.DOTALL)
_TRUE = frozenset({"true", "t", "1", "yes", "y"})
_FALSE = frozenset({"false", "f", "0", "no", "n"})
_SINGLE = re.compile(r"'[^']*'?")
_WORDS = frozenset({"by", "as"})  # of the language
_DEEPEST = 60


class Token(NamedTuple):
    """A part of the query: its text, and where it stands."""

    text: str
    start: int
    end: int
    quoted: bool = False


class Scanner:
    """Reads a query from left to right; `at` is the next character."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.at = 0
        self._depth = 0
        self._options: set[str] = set()  # of this command, as far as it is read

    def fail(self, message: str, token: Token | None = None, known: Iterable[str] = ()) -> NoReturn:
        """Raise QueryError at `token`, or at the word that comes next."""
        place = token or self.next_word()
        raise QueryError(self.query, place.start, place.end - place.start, message, known)

    def next_word(self) -> Token:
        """Return what comes next, for messages; an empty token at the end."""
        self.space()
        found = _WORD.match(self.query, self.at)
        return Token(found[0] if found else "", self.at, found.end() if found else self.at)

    def space(self) -> None:
        """Go on to the next character that is no space."""
        found = _SPACE.match(self.query, self.at)
        self.at = found.end() if found else self.at

    def done(self) -> bool:
        """Tell whether the command ends here."""
        self.space()
        return self.at >= len(self.query) or self.query[self.at] == "|"

    def finished(self) -> bool:
        """Tell whether the query ends here."""
        self.space()
        return self.at >= len(self.query)

    def peek(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return what `pattern` finds next, without reading it."""
        self.space()
        return pattern.match(self.query, self.at)

    def take(self, pattern: re.Pattern[str]) -> Token | None:
        """Read what `pattern` finds next."""
        found = self.peek(pattern)
        if found is None or not found[0]:
            return None
        self.at = found.end()
        return Token(found[0], found.start(), found.end())

    def take_sign(self, sign: str) -> Token | None:
        """Read `sign` if it comes next."""
        self.space()
        if not self.query.startswith(sign, self.at):
            return None
        start, self.at = self.at, self.at + len(sign)
        return Token(sign, start, self.at)

    def expect(self, sign: str) -> Token:
        """Read `sign`, which has to come next."""
        return self.take_sign(sign) or self.fail(f"{sign} is missing here")

    def word(self, *words: str) -> Token | None:
        """Read one of `words` in whatever case, if it comes next as a whole word."""
        found = self.peek(_NAME)
        if found is None or found[0].lower() not in words:
            return None
        return self.take(_NAME)

    def quoted(self) -> Token | None:
        r"""Read a text in quotation marks; `\"`, `\\` and `\|` in it are `"`, `\` and `|`."""
        self.space()
        if not self.query.startswith('"', self.at):
            return None
        found = _QUOTED.match(self.query, self.at)
        if found is None:
            self.fail("this quotation mark is not closed", Token('"', self.at, self.at + 1))
        self.at = found.end()
        return Token(_ESCAPE.sub(r"\1", found[1]), found.start(), found.end(), quoted=True)

    def text(self) -> Token:
        """Read a text, in quotation marks or bare."""
        self.no_single_quotes()
        return self.quoted() or self.take(_BARE) or self.fail("a value is missing here")

    def no_single_quotes(self) -> None:
        """Fail if a single quotation mark comes next, which would be part of a text."""
        if found := self.peek(_SINGLE):
            place = Token(found[0], found.start(), found.end())
            inside = found[0].strip("'") or "…"
            self.fail("texts stand in double quotation marks here", place, [f'"{inside}"'])

    def word_or_quoted(self, what: str) -> Token:
        """Read a word, in quotation marks or bare; `what` it is."""
        token = self.quoted() or self.take(_NAME) or self.fail(f"{what} is missing here")
        return token if token.text else self.fail("a name can't be empty", token)

    def name(self, what: str = "a field") -> Token:
        """Read a field's name, in quotation marks or bare."""
        self.no_single_quotes()
        token = self.word_or_quoted(what)
        if not token.quoted and token.text.lower() in _WORDS:
            message = f"{token.text.upper()} is a word of the language; a field is missing here"
            self.fail(message, token, [f'"{token.text}" for the field'])
        if not token.quoted and token.text.startswith("-"):
            self.fail("a field is missing here: none begins with -", token, [f'"{token.text}"'])
        return token

    def plain_name(self) -> Token:
        """Read a field's name that holds no wildcard."""
        token = self.name()
        if "*" in token.text:
            self.fail("wildcards are not known here: one field by its name", token)
        return token

    def names(self, *, wild: bool = False) -> list[Token]:
        """Read names with spaces or commas between them, up to the command's end."""
        found: list[Token] = []
        while not self.done():
            if found:
                self.take_sign(",")
            found.append(self.name() if wild else self.plain_name())
        return found

    def at_option(self) -> Token | None:
        """Return the option's name, if an option comes next."""
        found = self.peek(_OPTION)
        return Token(found[1], found.start(1), found.end(1)) if found else None

    def option(self, known: Collection[str]) -> tuple[Token, Token] | None:
        """Read `name=value` if that comes next; its name has to be one of `known`."""
        token = self.at_option()
        if token is None:
            return None
        name = token._replace(text=token.text.lower())
        if name.text not in known:
            names = [f"{option}=" for option in sorted(known)]
            self.fail(f"the option {token.text} is not known here", token, names)
        if name.text in self._options:
            self.fail(f"the option {token.text} stands twice", token)
        self._options.add(name.text)
        self.take(_OPTION)
        return name, self.text()

    def forget_option(self, name: str) -> None:
        """Let an option stand once more in this command."""
        self._options.discard(name)

    def truth(self, token: Token) -> bool:
        """Return what `token` says: true or false."""
        if token.text.lower() in _TRUE:
            return True
        if token.text.lower() in _FALSE:
            return False
        return self.fail("this is neither true nor false", token, ["true", "false", "t", "f"])

    def count(self, token: Token, least: int = 0) -> int:
        """Return the whole number that `token` writes."""
        if not (token.text.isascii() and token.text.isdigit() and len(token.text) < 16):
            self.fail("a whole number is needed here", token)
        number = int(token.text)
        return number if number >= least else self.fail(f"this has to be {least} or more", token)

    def deeper(self) -> None:
        """Note that what follows is nested; `shallower` takes that back."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self.fail(f"nested too deep: {_DEEPEST} levels are known")

    def shallower(self) -> None:
        """Take back one `deeper`."""
        self._depth -= 1

    def end_command(self) -> None:
        """Fail if the command does not end here."""
        if not self.done():
            stray = self.query[self.at] == ")"
            self.fail("no bracket is open here" if stray else "this is more than the command takes")
        self._options.clear()
