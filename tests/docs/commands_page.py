"""The reference of every command, as Markdown made from the commands themselves.

`docs/reference/commands.md` holds this text between its two markers; a test compares them. To make it anew:
``python -m tests.docs.commands_page``.
"""

import re
from enum import Enum
from pathlib import Path
from typing import Any

from autoresearch.interfaces.cli.app import COMMANDS, app

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
BEGIN = "<!-- commands: begin, made by tests.docs.commands_page -->"
END = "<!-- commands: end -->"


def refreshed(page: str) -> str:
    """`page` with the part between its markers made anew."""
    head, rest = page.split(BEGIN, 1)
    return f"{head}{BEGIN}\n\n{reference()}\n{END}{rest.split(END, 1)[1]}"


def reference() -> str:
    """One section for each command, in the order of the table of commands."""
    return "\n".join(section(name) for name in COMMANDS)


def section(name: str) -> str:
    """A command's heading, usage, text and options."""
    command = app[name]
    arguments = list(command.assemble_argument_collection())
    words = [_usage(each) for each in arguments if _positional(each) or each.required]
    usage = " ".join(["autoresearch", name, *words, "[OPTIONS]"])
    text = "\n\n".join(" ".join(part.split()) for part in str(command.help).split("\n\n"))
    rows = [f"| {_names(each)} | {_cell(_meaning(each))} | {_default(each)} |" for each in arguments]
    return "\n".join(
        [f"### `{name}`", "", f"`{usage}`", "", text, "", "| option | meaning | default |", "|---|---|---|", *rows, ""]
    )


def _positional(argument: Any) -> bool:
    return bool(argument.field_info.is_positional)


def _usage(argument: Any) -> str:
    name = argument.names[0].removeprefix("--").upper()
    word = name if _positional(argument) else f"{argument.names[0]} {name}"
    return word if argument.required else f"[{word}]"


def _names(argument: Any) -> str:
    shown = [name for name in argument.names if not name.startswith("--empty-")]
    if _positional(argument):
        shown = [shown[0].removeprefix("--").upper()]
    return ", ".join(f"`{name}`" for name in shown)


def _meaning(argument: Any) -> str:
    choices = argument.get_choices() or ()
    said = " ".join((argument.parameter.help or "").split())
    return said + (f" One of {', '.join(f'`{each}`' for each in choices)}." if choices else "")


def _default(argument: Any) -> str:
    default = argument.field_info.default
    if argument.required:
        return "required"
    if default is None or default is False or default == "":
        return "—"
    return f"`{default.value if isinstance(default, Enum) else default}`"


def _cell(text: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", text)


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
