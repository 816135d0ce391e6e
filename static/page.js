// What the page was given (JSON blocks) and how it is said: texts, labels, figures, dates, elements.
// Every word is drawn as text; nothing here or elsewhere in our modules turns a string into markup.

export const page = readBlock("villagemap-page");

/** The JSON block with this id, or null where the page has none. */
export function readBlock(id) {
  const block = document.getElementById(id);
  return block ? JSON.parse(block.textContent) : null;
}

/** The sentence under `key`, its {names} filled from `values`. */
export function say(key, values = {}) {
  const fill = (whole, name) => (Object.hasOwn(values, name) ? String(values[name]) : whole);
  return page.texts[key].replace(/\{(\w+)\}/g, fill);
}

/** What people call a code; the code itself where no list knows it. */
export function label(kind, code) {
  const words = page.labels[kind];
  return Object.hasOwn(words, code) ? words[code] : code;
}

/** The category behind a code: its label and the group that gives it a shape. */
export function category(code) {
  return Object.hasOwn(page.categories, code) ? page.categories[code] : { label: code, group: "" };
}

/** The group with this code; one without a name for a category that belongs to none. */
export function group(code) {
  return page.groups.find((each) => each.code === code) ?? { code, label: code, shape: "other" };
}

const figures = new Intl.NumberFormat(page.lang, { maximumFractionDigits: 2 });
const shortFigures = new Intl.NumberFormat(page.lang, { notation: "compact", maximumFractionDigits: 1 });

export function figure(value) {
  return figures.format(value);
}

export function shortFigure(value) {
  return value < 10000 ? String(value) : shortFigures.format(value);
}

/** An element with attributes and children; strings become text nodes. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}
