# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the drift page looks: light and dark, on paper, on a small screen. Every colour is legible on its ground."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f5f8; --card: #ffffff; --ink: #1a1f2b; --soft: #545d70; --line: #dde1ea; --code: #eef1f6;
  --ok: #0b6b3a; --ok-ground: #e1f4e8; --drift: #8a4b00; --drift-ground: #fdf0d9;
  --bad: #a3172b; --bad-ground: #fde7ea; --idle: #4a5368; --idle-ground: #e8ebf2; --link: #1f55c4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10131a; --card: #191d27; --ink: #e8ebf2; --soft: #a3acbf; --line: #2e3545; --code: #10131a;
    --ok: #6fdc9b; --ok-ground: #12301f; --drift: #ffc46b; --drift-ground: #38290d;
    --bad: #ff9aa6; --bad-ground: #3f161c; --idle: #b7c0d3; --idle-ground: #272e3d; --link: #8db4ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -0.02em; }
h2 { margin: 0; font-size: 1.2rem; letter-spacing: -0.01em; }
h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
p { margin: 0.4rem 0; }
a { color: var(--link); }
.eyebrow { color: var(--soft); font-size: 0.8rem; letter-spacing: 0.08em; text-transform: uppercase; font-weight: 600; }
.about { color: var(--soft); font-size: 0.9rem; margin-top: 0.75rem; }
.about span + span::before { content: "·"; margin: 0 0.5rem; }
.tiles { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 1.75rem 0 2rem; padding: 0; list-style: none; }
.tiles li {
  flex: 1 1 8rem; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 0.9rem 1.1rem;
  border-top: 4px solid var(--tone);
}
.tiles b { display: block; font-size: 1.9rem; line-height: 1.1; color: var(--tone);
  font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 0.9rem; }
.in_sync, .repaired { --tone: var(--ok); --ground: var(--ok-ground); }
.drifted { --tone: var(--drift); --ground: var(--drift-ground); }
.gone, .unreachable, .failed { --tone: var(--bad); --ground: var(--bad-ground); }
.stopped, .total { --tone: var(--idle); --ground: var(--idle-ground); }
.host {
  background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 1.25rem 1.4rem;
  margin-top: 1rem;
  box-shadow: 0 1px 2px rgb(0 0 0 / 5%);
}
.host > header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.6rem 0.9rem; }
.host > header .kind { color: var(--soft); font-size: 0.9rem; margin-left: auto; }
.chip {
  background: var(--ground); color: var(--tone); border-radius: 999px; padding: 0.15rem 0.75rem; font-weight: 650;
  font-size: 0.85rem; white-space: nowrap;
}
.chip::before { content: attr(data-sign); margin-right: 0.4rem; }
.message {
  white-space: pre-wrap; overflow-wrap: anywhere; background: var(--ground); border-radius: 10px;
  padding: 0.6rem 0.9rem; margin: 0.9rem 0 0; font-size: 0.93rem;
}
.advice { color: var(--ink); margin-top: 0.7rem; }
.command {
  display: block; margin: 0.5rem 0 0; padding: 0.55rem 0.85rem; background: var(--code); border: 1px solid var(--line);
  border-radius: 8px; font: 0.84rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; user-select: all;
}
.command::before { content: "$ "; color: var(--soft); user-select: none; }
.object { border-top: 1px solid var(--line); margin-top: 1.1rem; padding-top: 1rem; }
.object > header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.3rem 0.8rem; }
.by { font-size: 0.85rem; color: var(--drift); font-weight: 600; }
.module { margin-left: auto; color: var(--soft); font-size: 0.82rem; }
.wide { overflow-x: auto; margin: 0.6rem 0 0.2rem; border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 0.88rem; }
th, td { text-align: left; vertical-align: top; padding: 0.4rem 0.75rem; border-top: 1px solid var(--line); }
thead th {
  border-top: 0; color: var(--soft); font-weight: 600; font-size: 0.75rem; text-transform: uppercase;
  letter-spacing: 0.05em; background: var(--code);
}
tbody th { font-weight: 500; }
tbody th, td { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: 0.82rem; }
tbody th, td { overflow-wrap: anywhere; }
tbody th { width: 40%; } td { width: 30%; }
del, ins { text-decoration: none; border-radius: 5px; padding: 0.05rem 0.4rem; box-decoration-break: clone; }
del { background: var(--bad-ground); color: var(--bad); }
ins { background: var(--ok-ground); color: var(--ok); }
del::before { content: "\\2212\\a0"; } ins::before { content: "+\\a0"; }
.none { color: var(--soft); font-style: italic; }
.who { display: block; color: var(--soft); font-size: 0.78rem; }
summary { cursor: pointer; color: var(--link); font-size: 0.9rem; margin-top: 0.5rem; }
.notes { color: var(--soft); font-size: 0.88rem; margin: 0.8rem 0 0; padding-left: 1.1rem; }
nav ul { list-style: none; padding: 0; margin: 0 0 1.5rem; display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; }
.fine { columns: 16rem; list-style: none; padding: 0; margin: 0.9rem 0 0; }
.fine li { padding: 0.2rem 0; break-inside: avoid; }
footer { color: var(--soft); font-size: 0.85rem; margin-top: 2.5rem; }
@media (max-width: 40rem) { .module, .host > header .kind { margin-left: 0; width: 100%; } }
@media print {
  :root {
    color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --code: #f6f6f6;
    --ok: #0b6b3a; --ok-ground: #fff; --drift: #8a4b00; --drift-ground: #fff; --bad: #a3172b; --bad-ground: #fff;
    --idle: #333; --idle-ground: #fff; --link: #000;
  }
  main { max-width: none; padding: 0; }
  .host { box-shadow: none; } .object, .tiles li { break-inside: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
