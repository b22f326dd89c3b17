'use strict';
// A link into a folded part opens it; so does printing, for all parts.
const reveal = () => {
  const target = document.querySelector(':target');
  for (let place = target; place; place = place.parentElement) {
    if (place.localName === 'details') place.open = true;
  }
  if (target) target.scrollIntoView();
};
addEventListener('hashchange', reveal);
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details')) part.open = true;
});
reveal();

// Tables are sorted by a click on a head: down or up, and then as written.
const collator = new Intl.Collator('en', {numeric: true});
const UNITS = {'%': 0.01, min: 60, h: 3600};
const NUMBER = /^(?:more than )?([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?) ?(%|min\b|h\b)?(?=\s|$)/;
const keyOf = (cell) => {
  const text = cell.dataset.value ?? (cell.querySelector('.value') ?? cell).textContent;
  const plain = text.trim().replace(/^[−]/, '-');
  const found = plain.replace(/(\d),(?=\d{3})/g, '$1').match(NUMBER);
  return found ? Number(found[1]) * (UNITS[found[2]] ?? 1) : plain;
};
const isNone = (key) => key === '' || key === '—';
const isNumber = (key) => typeof key === 'number';
const compare = (a, b) => {
  if (isNumber(a) && isNumber(b)) return a - b;
  return isNumber(b) - isNumber(a) || collator.compare(a, b);
};
for (const table of document.querySelectorAll('table')) {
  const heads = [...table.querySelectorAll('thead th[scope=col]')];
  const body = table.tBodies[0];
  const written = [...body.rows];
  const sortBy = (head) => {
    const column = head.dataset.column ?? head.cellIndex;
    const rows = written.filter((row) => !row.classList.contains('group'));
    const keys = new Map(rows.map((row) => [row, keyOf(row.cells[column])]));
    const ways = ['ascending', 'descending', null];
    const shown = [...keys.values()].filter((key) => !isNone(key));
    if (shown.every(isNumber)) ways.splice(0, 2, 'descending', 'ascending');
    const way = ways[(ways.indexOf(head.getAttribute('aria-sort')) + 1) % 3];
    const sign = way === 'descending' ? -1 : 1;
    rows.sort((a, b) => {
      const [one, other] = [keys.get(a), keys.get(b)];
      return isNone(one) - isNone(other) || sign * compare(one, other);
    });
    for (const each of heads) each.removeAttribute('aria-sort');
    if (way) head.setAttribute('aria-sort', way);
    // Heads of groups stand above nothing when the rows are sorted.
    for (const row of written) row.hidden = Boolean(way) && !keys.has(row);
    body.append(...(way ? rows : written));
  };
  for (const head of written.length > 1 ? heads : []) {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    button.addEventListener('click', () => sortBy(head));
    head.append(button);
  }
}
