"""How the page of the Core API's document looks, by day and by night, on paper and on a telephone.

Belongs here: the style sheet. Does not: the page (page.py).
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --text: #1c2330; --faint: #556074; --ground: #fff; --raised: #f5f7fa;
  --line: #d8dee8; --link: #1452b8; --get: #14603a; --post: #1452b8; --put: #7a4b00; --delete: #a11d2b; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e3e8f0; --faint: #a3aec0; --ground: #12161d; --raised: #1a2029; --line: #333d4b;
    --link: #8ab8ff; --get: #7fd6a3; --post: #8ab8ff; --put: #f0c27a; --delete: #ff9aa5; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif;
  display: grid; grid-template-columns: 14rem minmax(0, 1fr); }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 3px solid var(--link);
  outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--ground); padding: .5rem; z-index: 1; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line); min-height: 100vh; }
nav .title { font-weight: 600; margin: 0 0 .5rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .2rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
main { padding: 1.5rem clamp(1rem, 4vw, 3rem) 6rem; max-width: 75rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 1rem; }
h1 small { color: var(--faint); font-size: 1rem; font-weight: 400; }
h2 { margin: 3rem 0 1rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { margin: 2rem 0 .5rem; }
h4 { margin: 1.2rem 0 .4rem; }
header p { max-width: 45rem; }
code { font: .9em/1.4 ui-monospace, monospace; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; }
summary { padding: .5rem .8rem; cursor: pointer; }
summary .help { color: var(--faint); margin-left: .5rem; }
details[open] > summary { border-bottom: 1px solid var(--line); background: var(--raised); }
details > div { padding: .2rem .8rem 1rem; }
.method { display: inline-block; width: 4.5rem; font-weight: 700; font-size: .85rem; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); } .delete { color: var(--delete); }
pre { background: var(--raised); border: 1px solid var(--line); border-radius: .4rem; padding: .8rem; overflow: auto; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-weight: 600; }
@media (max-width: 50rem) {
  body { display: block; }
  nav { position: static; border: 0; border-bottom: 1px solid var(--line); min-height: 0; }
  nav ul { display: flex; flex-wrap: wrap; gap: 0 1rem; } }
@media print { nav { display: none; } body { display: block; } }
"""
