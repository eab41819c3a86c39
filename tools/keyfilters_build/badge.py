"""A badge: a small picture with a label and what it says, drawn without a service."""

from __future__ import annotations

import html

__all__ = ["badge"]

_HEIGHT, _MARGIN, _CHARACTER = 28, 10, 7.4


def badge(label: str, message: str) -> str:
    """SVG of a badge with two fields, white on dark grey and on dark green (contrast above 7).

    Parameters
    ----------
    label, message : plain text; `textLength` fits it to its field whatever the reader's fonts are

    Examples
    --------
    >>> badge("scorecard", "3 of 4").startswith("<svg")
    True
    """
    widths = [round(_CHARACTER * len(text)) for text in (label, message)]
    left, right = (width + 2 * _MARGIN for width in widths)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{_HEIGHT}" role="img">',
        f"<title>{html.escape(f'{label}: {message}')}</title>",
        f'<rect width="{left + right}" height="{_HEIGHT}" rx="4" fill="#0b5d1e"/>',
        f'<path d="M4 0h{left - 4}v{_HEIGHT}h-{left - 4}a4 4 0 0 1-4-4v-{_HEIGHT - 8}a4 4 0 0 1 4-4z" fill="#333"/>',
        '<g fill="#fff" font-family="Verdana, DejaVu Sans, sans-serif" font-size="13">',
    ]
    for start, width, text in ((_MARGIN, widths[0], label), (left + _MARGIN, widths[1], message)):
        parts.append(
            f'<text x="{start}" y="19" textLength="{width}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>'
        )
    return "\n".join([*parts, "</g>", "</svg>", ""])
