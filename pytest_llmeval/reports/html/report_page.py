"""Style and script that are added to the page of a pytest-html report."""

__all__ = ["PAGE_STYLE", "SCRIPT"]

PAGE_STYLE = """
body.le { margin: 16px clamp(12px, 2vw, 32px); min-width: 0; font-size: 14px; }
.le h1 { color: inherit; font-size: 20px; margin: 0; }
.le h1 + p { color: var(--le-muted); font-size: 12px; margin: 0 0 8px; }
.le h1 + p a { color: inherit; }
.le .le-title { font-size: 20px; display: flex; align-items: center; gap: 10px; margin-top: 12px; }
.le .le-title .le-chip { font-size: 14px; line-height: 26px; border-radius: 13px; padding: 0 12px; }
#llmeval { border-bottom: 1px solid var(--le-line); padding-bottom: 16px; margin-bottom: 16px; }
.le .controls, .le .filters { flex-wrap: wrap; gap: 2px 6px; }
.le .filters button, .le .collapse button { color: var(--le-accent); font: inherit; padding: 0; }
.le span.passed, .le .passed .col-result { color: var(--le-good); }
.le span.skipped, .le span.xfailed, .le span.rerun, .le .skipped .col-result, .le .xfailed .col-result,
.le .rerun .col-result { color: var(--le-doubt); }
.le span.error, .le span.failed, .le span.xpassed, .le .error .col-result, .le .failed .col-result,
.le .xpassed .col-result { color: var(--le-bad); }
.le #environment-header h2::before { content: "\\25be"; color: var(--le-muted); margin-right: 6px; }
.le #environment-header.collapsed h2::before { content: "\\25b8"; }
.le #environment td { border-color: var(--le-line); }
.le #environment tr:nth-child(odd), .le .logwrapper, .le .logwrapper .logexpander { background: var(--le-panel); }
.le .logwrapper { margin-top: 12px; border: 1px solid var(--le-line); border-radius: 6px; }
.le .logwrapper .log { color: inherit; border: 0; top: 0; height: auto; min-height: 0; padding: 8px 12px;
  font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.le .logwrapper .logexpander { float: right; margin: 6px; padding: 2px 7px; }
.le .logwrapper .logexpander:hover { color: inherit; border-color: currentColor; }
.le-filters { display: flex; flex-wrap: wrap; gap: 8px 20px; align-items: center; margin: 12px 0; padding: 10px 12px;
  background: var(--le-panel); border-radius: 6px; }
.le-filters label { font-weight: 600; }
.le-filters select { font: inherit; color: inherit; background: var(--le-page); border: 1px solid var(--le-line);
  border-radius: 6px; padding: 3px 6px; max-width: 220px; margin-left: 4px; }
.le-filters output { margin-left: auto; }
.le #results-table { width: 100%; font-size: 13px; color: inherit; border: 0; }
.le #results-table th, .le #results-table td { border: 0; border-bottom: 1px solid var(--le-line); padding: 6px 8px; }
.le #results-table > thead th { color: var(--le-muted); font-size: 12px; font-weight: 600;
  border-bottom: 2px solid var(--le-line); }
.le #results-table .sortable::after { border-width: 5px; bottom: auto; top: -1px; left: 4px; position: relative;
  display: inline-block; border-top-color: var(--le-muted); border-bottom-color: var(--le-muted); }
.le #results-table .sortable.asc::after { border-top: 0; }
.le #results-table .sortable.desc::after { border-bottom: 0; }
.le .collapsible > td > * { pointer-events: none; }
.le .collapsible > td > a { pointer-events: auto; }
.le .collapsible:hover > td { background: var(--le-panel); }
.le .collapsible > td:first-child { white-space: nowrap; }
.le .collapsible > td:first-child::before { content: "\\25be"; color: var(--le-muted); margin-right: 6px; }
.le .collapsible:has(> .col-result.collapsed) > td:first-child::before { content: "\\25b8"; }
.le #results-table .le-figure { text-align: right; }
.llmeval-case > h3:first-child { margin-top: 0; }
.le .col-result { width: auto; }
.le .col-result:hover::after { content: none; }
.le .col-testId { overflow-wrap: anywhere; min-width: 20ch; }
.le .col-llmeval_tokens, .le .col-llmeval_cost, .le .col-duration { white-space: nowrap; }
.le .col-llmeval_suite, .le .col-llmeval_slice, .le .col-llmeval_model, .le .col-llmeval_score {
  overflow-wrap: break-word; max-width: 24ch; }
.le th[data-column-type="llmeval_tokens"] { white-space: normal; overflow-wrap: break-word; }
.le small { color: var(--le-muted); font-size: 12px; }
.le td.extra { padding: 4px 12px 16px; }
.llmeval-case { min-height: 40px; padding-left: 12px; border-left: 2px solid var(--le-line); }
.le td.extra:has(.llmeval-case) .logwrapper:not(:has(.log)) { display: none; }
@media (max-width: 1239px) { .le .col-testId { width: 100%; } } /* the others as wide as their longest word */
@media (max-width: 1000px) {
  .le #results-table, .le #results-table > tbody { display: block; }
  .le #results-table > thead { display: none; }
  .le #results-table tr.collapsible { display: flex; flex-wrap: wrap; gap: 2px 12px; padding: 8px 0;
    border-bottom: 1px solid var(--le-line); }
  .le #results-table tr.collapsible td { border: 0; padding: 0; min-width: 0; }
  .le #results-table .col-testId { order: -1; flex-basis: 100%; }
  .le #results-table .collapsible > td:first-child { order: -2; }
  .le #results-table .col-duration, .le #results-table .col-links { display: none; }
  .le #results-table .col-result { display: none; }
  .le #results-table .col-testId:first-child, .le #results-table .collapsible:not(:has([data-outcome])) .col-result {
    display: block; }
  .le #results-table td[data-title]:not(:first-child):not(:has(small))::before { content: attr(data-title) " ";
    color: var(--le-muted); }
  .le #results-table .collapsible > td:empty { display: none; }
  .le #results-table tr.extras-row:not(.hidden), .le #results-table td.extra { display: block; }
  .le #results-table td.extra { padding: 4px 0 16px; }
  .le-filters output { margin-left: 0; }
}
"""
"""CSS for pytest-html's own page, whose body gets the class ``le``."""

SCRIPT = """
(() => {
  'use strict';
  document.body.classList.add('le');
  const viewport = document.createElement('meta');
  viewport.name = 'viewport';
  viewport.content = 'width=device-width, initial-scale=1';
  document.head.append(viewport);
  const ours = document.getElementById('llmeval');
  const environment = document.getElementById('environment-header');
  if (environment) {
    environment.before(ours);
    environment.classList.add('collapsed');
    document.getElementById('environment').classList.add('hidden');
  }
  const row = document.getElementById('template_results-table__tbody');
  if (row && !('media' in ours.dataset)) row.content.querySelector('.media').replaceChildren();  // 1 ms a video element
  const rule = document.createElement('style');
  document.head.append(rule);
  const fill = (place) => {
    near.unobserve(place);
    const detail = document.getElementById(place.dataset.case);
    if (detail && !place.firstChild) place.append(detail.content.cloneNode(true));
  };
  const near = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting)
    .forEach(({ target }) => fill(target)), { rootMargin: '1000px' });
  const unfolded = () => [...document.querySelectorAll('.extras-row:not(.hidden) .llmeval-case:empty')];
  let later = 0;
  const fillLater = (places) => {
    const end = performance.now() + 10;
    while (places.length && performance.now() < end) fill(places.shift());
    if (places.length) later = setTimeout(fillLater, 40, places);
  };
  let chosen = '';
  const count = () => {
    const rows = document.querySelectorAll('#results-table > tbody > .collapsible').length;
    const seen = chosen ? document.querySelectorAll(`#results-table > tbody > tr > td${chosen}`).length : rows;
    document.getElementById('llmeval-count').textContent =
      `${seen.toLocaleString('en')} of ${rows.toLocaleString('en')} rows`;
  };
  const look = () => {
    near.disconnect();
    document.querySelectorAll('.llmeval-case:empty').forEach((place) => near.observe(place));
    clearTimeout(later);
    later = setTimeout(fillLater, 40, unfolded());
    count();
  };
  const choose = () => {
    chosen = [...document.querySelectorAll('#llmeval-filters select')].map(({ value }) => value).join('');
    const others = `#results-table > tbody:not(:has(> tr > td${chosen}))`;
    rule.textContent = chosen ? `${others} { display: none !important; }` : '';
    count();
  };
  addEventListener('beforeprint', () => unfolded().forEach(fill));
  document.addEventListener('DOMContentLoaded', () => {
    document.querySelectorAll('#llmeval-filters select').forEach((each) => each.addEventListener('change', choose));
    new MutationObserver(look).observe(document.body, { childList: true });
    choose();
    look();
  });
})();
"""
"""JavaScript that filters rows by their cells, and inserts the full case where a row is unfolded, visible ones
first."""
