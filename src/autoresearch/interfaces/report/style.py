"""The style sheet of the HTML page, and what the page may load: nothing.

Light and dark, wide and narrow, screen and paper; the picture's colours are the variables of `picture.COLOURS`.
"""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

STYLE = """\
:root {
  --paper: #ffffff; --ink: #1b1f24; --muted: #656d76; --rule: #e6e8eb; --wash: #f6f7f8; --dot: #9aa3ad;
  --good: #1a7f4b; --warn: #c4501b; --bad: #b3261e; --open: #8a6100; --fresh: #2b5fb8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #e8eaed; --muted: #9aa3ad; --rule: #2b3036; --wash: #1c2024; --dot: #6b747e;
    --good: #4cc38a; --warn: #f08c5a; --bad: #ff7b72; --open: #e0b341; --fresh: #7aa7f0;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 66rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
p, ul { max-width: 46rem; margin: 0 0 1rem; text-wrap: pretty; }
.kicker { margin: 0 0 .5rem; color: var(--muted); font-size: .875rem; }
h1 {
  margin: 0 0 .75rem; max-width: 52rem; font-size: clamp(1.35rem, 1rem + 1.6vw, 1.9rem); line-height: 1.3;
  font-weight: 500; letter-spacing: -.012em; text-wrap: balance;
}
h1 strong { font-weight: 700; }
h2 { margin: 0 0 .6rem; font-size: 1.15rem; font-weight: 650; letter-spacing: -.005em; }
section { margin-top: 2.75rem; padding-top: 1.1rem; border-top: 1px solid var(--rule); }
section#progress { border-top: 0; padding-top: 0; margin-top: 1.5rem; }
section#progress h2 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.lead { color: var(--muted); }
ul { padding-left: 1.2rem; }
li { margin-bottom: .3rem; }
.labels { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem; }
.badge {
  display: inline-block; padding: .02rem .5rem; border-radius: 1rem; border: 1px solid currentColor;
  font-size: .8125rem; line-height: 1.45; white-space: nowrap;
}
.labels .badge { white-space: normal; }
.good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); } .warn { color: var(--warn); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, auto)); gap: 1px; margin: 1.5rem 0 0;
  background: var(--rule); border: 1px solid var(--rule); border-radius: .5rem; overflow: hidden; }
.tiles div { background: var(--paper); padding: .7rem .95rem .75rem; }
.tiles dt { color: var(--muted); font-size: .8125rem; }
.tiles dd { margin: 0; font-size: 1.5rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles small { display: block; color: var(--muted); font-size: .8125rem; font-weight: 400; }
figure { margin: 0; overflow-x: auto; }
figure svg { display: block; width: 100%; min-width: 42rem; height: auto; }
.wide { overflow-x: auto; margin: 0 0 .75rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; line-height: 1.45; }
th, td { padding: .42rem 1rem .42rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
th { color: var(--muted); font-weight: 500; font-size: .8125rem; vertical-align: bottom; }
tbody tr:last-child td { border-bottom: 0; }
.number { width: 1%; text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
td.words { min-width: 11rem; overflow-wrap: anywhere; }
.pairs td { overflow-wrap: anywhere; }
th.number { white-space: nowrap; }
td small { display: block; color: var(--muted); font-size: .8125rem; }
.bar { width: 1%; }
.forest { display: block; margin-top: .15rem; }
.forest .zero { stroke: var(--muted); stroke-dasharray: 2 2; }
.forest .reach { stroke: var(--fresh); stroke-width: 2; }
.forest circle { fill: var(--fresh); }
.pairs td:first-child { color: var(--muted); width: 12rem; }
.note, footer { color: var(--muted); font-size: .875rem; }
footer { margin-top: 2.75rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  font-size: .875em; }
pre { margin: 0 0 1rem; padding: .8rem 1rem; background: var(--wash); border-radius: .4rem; overflow-x: auto;
  font-size: .8125rem; line-height: 1.5; }
pre code { font-size: inherit; }
summary { cursor: pointer; }
details pre { margin-top: .6rem; }
@media (max-width: 40rem) { body { padding: 1.25rem 1rem 3rem; } .tiles { grid-template-columns: 1fr 1fr; } }
@media print {
  :root { --paper: #ffffff; --ink: #000000; --muted: #555555; --rule: #cccccc; --wash: #f6f7f8; --dot: #9aa3ad;
    --good: #1a7f4b; --warn: #c4501b; --bad: #b3261e; --open: #8a6100; --fresh: #2b5fb8; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  figure svg { min-width: 0; }
  .wide, figure, pre { overflow: visible; }
  pre { white-space: pre-wrap; }
  tr, figure, .tiles { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""
