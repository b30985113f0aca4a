# SPDX-License-Identifier: GPL-3.0-or-later
"""Text that readers and writers of JSON and YAML stumble over."""

from __future__ import annotations

# all of the basic plane and some of each other, between letters: a YAML reader may fold or trim what stands at the ends
PLANES = {
    f"plane-{plane}": "".join(
        f"a{chr(code)}"
        for code in range(plane << 16, (plane + 1) << 16, 97 if plane else 1)
        if not 0xD800 <= code < 0xE000
    )
    + chr((plane << 16) + 0xFFFF)
    for plane in range(17)
}

# one of each kind: beyond the basic plane, line breaks of YAML, controls, marks, what is no character, escapes as text
ODD = "💎a\u0085b\u2028c\u2029d\x00\x07\x7f\x9f\ufeff\ufffe\uffff\U0010ffff \\ud83d\\udc8e é\u0301 \t\r\n 'x' \"y\" "
