"""The stylesheet of all HTML that this package produces, light and dark.

It applies to elements inside the class ``le`` and to nothing else.
"""

__all__ = ["STYLE"]

STYLE = """
.le { color-scheme: light dark;
  --le-text: #1f2328; --le-muted: #59636e; --le-page: #ffffff; --le-panel: #f6f8fa; --le-line: #d1d9e0;
  --le-accent: #0969da; --le-fill: #54a0f0; --le-good: #1a7f37; --le-bad: #cf222e; --le-doubt: #8a5a00;
  --le-good-back: #dafbe1; --le-bad-back: #ffebe9; --le-doubt-back: #fff8c5; --le-user-back: #ddf4ff;
  --le-bad-fill: #e5646c; --le-doubt-fill: #d4a72c;
  color: var(--le-text); background: var(--le-page);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; text-align: left; }
@media (prefers-color-scheme: dark) { .le {
  --le-text: #f0f6fc; --le-muted: #9da7b3; --le-page: #0d1117; --le-panel: #1a2029; --le-line: #3d444d;
  --le-accent: #58a6ff; --le-fill: #2f6fc4; --le-good: #56d364; --le-bad: #ff7b72; --le-doubt: #e3b341;
  --le-good-back: #12361f; --le-bad-back: #4a1a1c; --le-doubt-back: #3a2d0b; --le-user-back: #12283f;
  --le-bad-fill: #b0383c; --le-doubt-fill: #8f6a12; } }
.le *, .le *::before { box-sizing: border-box; }
.le h2 { font-size: 18px; line-height: 1.3; margin: 24px 0 8px; color: inherit; }
.le h3 { font-size: 15px; line-height: 1.3; margin: 16px 0 6px; color: inherit; }
.le p { margin: 4px 0 8px; color: inherit; }
.le a { color: var(--le-accent); }
.le pre { margin: 0; font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: inherit;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 24em; overflow: auto; }
.le .le-note, .le .le-more { color: var(--le-muted); font-size: 13px; }
.le .le-same { color: var(--le-good); }

.le .le-scroll { overflow-x: auto; overflow-wrap: break-word; }
.le .le-scroll pre:not(:empty) { min-width: 24ch; max-width: 90ch; }
.le table { border-collapse: collapse; font: inherit; color: inherit; width: auto; }
.le th, .le td { padding: 5px 10px; border: 0; border-bottom: 1px solid var(--le-line); text-align: left;
  vertical-align: top; font-weight: normal; }
.le thead th { color: var(--le-muted); font-size: 12px; font-weight: 600; white-space: nowrap; }
.le .le-figure { text-align: right; white-space: nowrap; }

.le .le-chip { display: inline-block; padding: 0 8px; border-radius: 10px; font-size: 12px; line-height: 20px;
  font-weight: 600; white-space: nowrap; color: var(--le-muted); background: var(--le-panel); }
.le .le-pass { color: var(--le-good); background: var(--le-good-back); }
.le .le-fail { color: var(--le-bad); background: var(--le-bad-back); }
.le .le-unsure { color: var(--le-doubt); background: var(--le-doubt-back); }

.le .le-chat { display: flex; flex-direction: column; gap: 8px; margin: 8px 0; }
.le .le-bubble { border: 1px solid var(--le-line); border-left-width: 4px; border-radius: 6px; padding: 6px 10px;
  background: var(--le-panel); max-width: 100ch; }
.le .le-bubble > b, .le .le-difference > b { display: block; font-size: 12px; font-weight: 600;
  color: var(--le-muted); }
.le .le-user { background: var(--le-user-back); border-left-color: var(--le-accent); }
.le .le-response { border-left-color: var(--le-doubt); }
.le .le-expected { border-left-color: var(--le-good); }
.le .le-difference > b > span { font-size: inherit; font-weight: normal; }
.le .le-difference { margin: 8px 0; max-width: 100ch; }
.le del { color: var(--le-bad); background: var(--le-bad-back); text-decoration: line-through; }
.le ins { color: var(--le-good); background: var(--le-good-back); text-decoration: underline; }
.le .le-absent { color: var(--le-muted); font-style: italic; }

.le .le-charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); gap: 16px;
  margin: 12px 0; }
.le .le-chart { margin: 0; padding: 12px; border: 1px solid var(--le-line); border-radius: 6px; min-width: 0; }
.le .le-chart figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 2px 12px;
  margin-bottom: 8px; }
.le .le-chart figcaption span { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 4px 5px;
  font-size: 12px; color: var(--le-muted); }
.le .le-chart figcaption span span { margin-right: 8px; }
.le .le-key { display: inline-block; width: 12px; height: 10px; }
.le .le-key-value { background: var(--le-fill); }
.le .le-key-interval { border-left: 2px solid var(--le-text); border-right: 2px solid var(--le-text); height: 8px;
  background: linear-gradient(var(--le-text), var(--le-text)) center / 100% 2px no-repeat; }
.le .le-key-baseline { width: 10px; border: 2px solid var(--le-text); border-radius: 5px; background: var(--le-page); }
.le .le-key-bar { width: 0; height: 12px; border-left: 3px dotted var(--le-bad); }
.le .le-svg { display: block; overflow: visible; font: 12px system-ui, sans-serif; }
.le .le-svg text { fill: var(--le-text); }
.le .le-svg .le-number, .le .le-svg .le-count { fill: var(--le-text); font-size: 12px; }
.le .le-svg .le-count, .le .le-svg .le-tick { font-size: 11px; fill: var(--le-muted); }
.le .le-svg .le-track { fill: var(--le-panel); }
.le .le-svg .le-fill { fill: var(--le-fill); }
.le .le-svg .le-bad { fill: var(--le-bad-fill); }
.le .le-svg .le-doubt { fill: var(--le-doubt-fill); }
.le .le-svg .le-axis { stroke: var(--le-line); }
.le .le-svg .le-interval { stroke: var(--le-text); stroke-width: 2; }
.le .le-svg .le-goal { stroke: var(--le-bad); stroke-width: 2.5; stroke-dasharray: 3 2; }
.le .le-svg .le-before { fill: var(--le-page); stroke: var(--le-text); stroke-width: 2; }
@media (max-width: 600px) { .le th, .le td { padding: 4px 6px; } }
@media print {
  .le :is(.le-key, .le-chip, del, ins) { print-color-adjust: exact; }
  .le pre { max-height: none; }
  .le .le-scroll { overflow: visible; }
  .le .le-scroll th, .le .le-scroll td { min-width: 0; padding: 3px 4px; font-size: 11px; white-space: normal; }
  .le .le-scroll :is(th, td) :not(svg, svg *, pre) { font-size: 11px; padding: 0 3px; white-space: inherit; }
  .le .le-scroll pre:not(:empty) { min-width: 0; }
}
"""
"""The CSS text."""
