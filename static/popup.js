// The popup of one issue: what a person wants to know, in the order in which they ask; no table of raw fields.
import { category, element, figure, group, label, page, say } from "./page.js";
import { issueMark } from "./marks.js";

function line(className, ...children) {
  const shown = children.filter((child) => child);
  return shown.length ? element("p", { class: className }, ...shown) : null;
}

function heading(card) {
  const kind = category(card.category);
  const mark = issueMark(group(kind.group).shape, card.urgency, isHatched(card));
  const urgency = element("span", { class: "vm-urgency" }, label("urgencies", card.urgency));
  return element("h2", { tabindex: "-1" }, mark, element("span", { class: "vm-kind" }, kind.label), urgency);
}

/** Whether an interim measure or a deferral stands: drawn hatched. */
export function isHatched(card) {
  return card.status === "deferred" || Boolean(card.interim_on && card.urgency !== "closed");
}

function where(card) {
  const names = [card.village, card.place].filter((name, i, all) => name && all.indexOf(name) === i);
  return line("vm-place", [...names, card.location_text].filter(Boolean).join(" · ") || say("no_place"));
}

function howMuch(card) {
  if (card.quantity_found === null || card.quantity_found === undefined) return null;
  const values = { found: figure(card.quantity_found), done: figure(card.quantity_done ?? 0), unit: card.unit ?? "" };
  return line("vm-much", say(card.quantity_done ? "quantity_done" : "quantity", values));
}

function subdefects(card) {
  const names = (card.subdefects ?? []).map((code) => {
    const known = label("subdefects", `${card.category}.${code}`);
    return known.endsWith(`.${code}`) ? code : known;
  });
  return names.length ? line("vm-subdefects", names.join(say("comma"))) : null;
}

function found(card) {
  const sources = (card.sources ?? []).map((code) => label("sources", code)).join(say("comma"));
  if (!card.found_on) return line("vm-found", sources);
  return line("vm-found", say("found_on", { day: card.found_on }), sources ? `${say("comma")}${sources}` : "");
}

function deadline(card) {
  if (card.closed_on) return line("vm-due", say("closed_on", { day: card.closed_on }));
  const isDeferred = card.status === "deferred" && card.deferred_until;
  const day = isDeferred ? card.deferred_until : card.due_on;
  if (!day) return line("vm-due", say("no_deadline"));
  const words = say(isDeferred ? "deferred_until" : "due_on", { day });
  const left = card.days_left;
  if (!Number.isFinite(left) || card.status === "submitted") return line("vm-due", words);
  const key = left < 0 ? "days_over" : left === 0 ? "due_today" : "days_left";
  return line("vm-due", words, say("comma"), element("b", {}, say(key, { days: figure(Math.abs(left)) })));
}

function states(card) {
  const parts = [];
  if (card.claimed_closed_on && !card.closed_on) parts.push(say("claimed_on", { day: card.claimed_closed_on }));
  if (card.interim_on) parts.push(say("interim_on", { day: card.interim_on }));
  if (card.relapse_of) parts.push(say("relapse"));
  if (card.located === "outside") parts.push(say("is_outside"));
  return parts.length ? line("vm-states", parts.join(say("semicolon"))) : null;
}

function duty(card) {
  const unit = card.lead_unit ? label("units", card.lead_unit) : "";
  return unit || card.responsible ? line("vm-duty", [unit, card.responsible].filter(Boolean).join(" · ")) : null;
}

/** Pictures of our own server only, or ones that the page itself holds. */
function isOwnPicture(href) {
  return typeof href === "string" && (/^\/(?!\/)/.test(href) ? Boolean(page.links) : /^data:image\/(png|jpeg|webp);/.test(href));
}

function pictures(card) {
  const shown = ["before", "after"].flatMap((stage) => (card.photos ?? []).filter((photo) => photo.stage === stage).slice(0, 1));
  const figures = shown.filter((photo) => isOwnPicture(photo.href)).map((photo) => {
    const words = say(`photo_${photo.stage}`);
    return element("figure", {}, element("img", { src: photo.href, alt: words, loading: "lazy" }), element("figcaption", {}, words));
  });
  return figures.length ? element("div", { class: "vm-photos" }, ...figures) : null;
}

function latestEvent(card) {
  const event = (card.events ?? []).reduce((last, each) => (!last || each.seq > last.seq ? each : last), null);
  if (!event) return null;
  const key = `event_${String(event.kind).split(".").pop()}`;
  const words = Object.hasOwn(page.texts, key) ? say(key) : say("event_other");
  const note = event.note ? `${say("colon")}${event.note}` : "";
  return line("vm-event", say("latest", { day: String(event.at).slice(0, 10), event: words }), note);
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(button.previousSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  button.textContent = say("copied");
}

function links(card) {
  const row = element("p", { class: "vm-actions" });
  if (Number.isFinite(card.lon) && Number.isFinite(card.lat)) {
    const position = `${card.lon.toFixed(6)}, ${card.lat.toFixed(6)}`;
    const button = element("button", { type: "button" }, say("copy"));
    button.addEventListener("click", () => copy(position, button));
    row.append(element("span", { class: "vm-position", title: "WGS 84" }, position), button);
  }
  if (page.links) {
    row.append(element("a", { href: `${page.links.items}/${encodeURIComponent(card.id)}` }, "GeoJSON"));
  }
  return row;
}

/** Everything a popup says about one issue, as an element. */
export function issueContent(card) {
  const number = card.number ? say("number", { number: card.number }) : null;
  const parts = [
    heading(card), where(card), line("vm-what", card.description), subdefects(card), howMuch(card), found(card),
    deadline(card), duty(card), states(card), pictures(card), latestEvent(card), line("vm-number", number), links(card),
  ];
  return element("article", { class: "vm-issue" }, ...parts.filter(Boolean));
}

/** A list of issues that lie on one spot, each a button that opens it. */
export function listContent(rows, open) {
  const list = element("ul", { class: "vm-list" });
  for (const row of rows) {
    const words = [category(row.category).label, row.number, row.found_on].filter(Boolean).join(" · ");
    const button = element("button", { type: "button" }, words);
    button.addEventListener("click", () => open(row.id));
    list.append(element("li", {}, button));
  }
  return element("article", { class: "vm-issue" }, element("h2", { tabindex: "-1" }, say("same_spot", { count: figure(rows.length) })), list);
}
