"""The terminal: what is shown there, and what is asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.utils import is_dumb_terminal
from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from socrates.v1.reading import printable

_BAR = 30
"""Cells."""


class LeftError(Exception):
    """Somebody has ended the conversation, by Ctrl-D or by a command."""


class NotDoneError(Exception):
    """Something was not carried out; the message says why, and what to do."""


class Screen:
    """Shows texts as they are: whatever would do something to the terminal is written out."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, soft_wrap=True)
        self._session: PromptSession[str] = PromptSession(
            history=InMemoryHistory(), complete_style=CompleteStyle.READLINE_LIKE, reserve_space_for_menu=0
        )
        # One of its own: what is typed there must not be in the other's history. On a dumb terminal prompt_toolkit
        # shows secrets as they are typed, so it gets no terminal to show anything on.
        self._hides_prompts = is_dumb_terminal()
        self._secrets: PromptSession[str] = PromptSession(
            reserve_space_for_menu=0, output=DummyOutput() if self._hides_prompts else None
        )

    def say(self, text: str = "", style: str = "") -> None:
        """Show a text, and end the line."""
        self._console.print(Text(_safe(text), style=style))

    def heading(self, text: str) -> None:
        """Show what the next lines are about."""
        self.say()
        self.say(text, "bold")

    def items(self, texts: Iterable[str], mark: str = "-") -> None:
        """Show a list."""
        for text in texts:
            self.say(f"  {mark} {text}")

    def warn(self, text: str) -> None:
        """Show what went wrong, or what could."""
        self.say(text, "yellow")

    def piece(self, text: str) -> None:
        """Show a piece of a text that goes on, at once."""
        self._begin_line(text)

    def bars(self, shares: Mapping[str, float]) -> None:
        """Show percentages, from 0 to 100, as bars."""
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
        for name, share in shares.items():
            bar = ProgressBar(total=100, completed=share, width=_BAR)
            table.add_row(Text(_safe(name)), bar, Text(f"{share:5.1f} %"))
        self._console.print(table)

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Show a table."""
        table = Table(*headers, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*(Text(_safe(cell)) for cell in row))
        self._console.print(table)

    async def ask(self, prompt: str, words: Sequence[str] = ()) -> str:
        """What somebody types, without blanks around it; `words` are offered on Tab.

        All that ask raise NotDoneError on Ctrl-C, and LeftError on Ctrl-D.
        """
        typed = await self._typed(self._session, prompt, completer=WordCompleter(list(words), sentence=True))
        return typed.strip()

    async def ask_secret(self, prompt: str) -> str:
        """The same, not shown. It is taken as it was typed."""
        if not self._hides_prompts:
            return await self._typed(self._secrets, prompt, is_password=True)
        try:
            with self._secrets.input.raw_mode():  # before somebody can begin to type
                self._begin_line(prompt)
                return await self._typed(self._secrets, prompt, is_password=True)
        finally:
            self.say()

    async def ask_until(self, prompt: str, is_right: Callable[[str], bool], advice: str) -> str:
        """Ask again until the answer is right."""
        while not is_right(answer := await self.ask(prompt)):
            self.warn(advice)
        return answer

    async def choose(self, prompt: str, choices: Sequence[str]) -> int:
        """The index of the choice that somebody makes by its number."""
        for number, choice in enumerate(choices, 1):
            self.say(f"  {number}. {' '.join(choice.split())}")  # on one line, or a name could look like a choice
        allowed = {str(number) for number in range(1, len(choices) + 1)}
        answer = await self.ask_until(prompt, allowed.__contains__, f"Type a number from 1 to {len(choices)}.")
        return int(answer) - 1

    async def agree(self, question: str) -> bool:
        """Whether somebody says yes."""
        answer = await self.ask_until(
            f"{question} [y/n] ", lambda text: text.lower() in {"y", "yes", "n", "no"}, "Type y or n."
        )
        return answer.lower().startswith("y")

    async def _typed(
        self,
        session: "PromptSession[str]",
        prompt: str,
        *,
        completer: WordCompleter | None = None,
        is_password: bool = False,
    ) -> str:
        shown = FormattedText([("bold", _safe(prompt))])
        try:
            return await session.prompt_async(shown, completer=completer, is_password=is_password)
        except EOFError:
            raise LeftError from None
        except KeyboardInterrupt:
            raise NotDoneError("Stopped. Ctrl-D ends the conversation.") from None

    def _begin_line(self, text: str) -> None:
        self._console.print(Text(_safe(text)), end="")
        self._console.file.flush()


def _safe(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
