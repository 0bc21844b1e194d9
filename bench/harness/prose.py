"""Wraps text for Markdown files."""

import textwrap

WIDTH = 100


def paragraph(text, first="", others=""):
    """Returns the text in lines of at most WIDTH columns; no word and no number is cut."""
    return textwrap.fill(
        " ".join(text.split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def item(text):
    """Returns the text as an entry of a list."""
    return paragraph(text, "- ", "  ")
