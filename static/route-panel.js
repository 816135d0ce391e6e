// Beside the map: what the plan comes to, who drives where, what was left out and why.
import { element, figure, page, say } from "./page.js";
import { inHours, inKilometres, shortDay, teamBadge } from "./route-looks.js";
import { routeKey } from "./route-plan.js";
import { emptyCard, lineSwatch, routeCard } from "./route-table.js";

const KINDS = ["pdf", "xlsx", "gpx", "kml", "geojson", "txt"];

/** Title and ways to other pages; the title states what there is to know. */
export function drawHead(desk) {
  const head = document.getElementById("vm-head");
  const { figures } = desk.view.plan;
  document.title = say("tab_title", { name: page.plan.name, county: page.county });
  const where = element("p", { class: "vm-where" }, page.links ? element("a", { href: page.links.home }, page.county) : page.county);
  if (page.demo) where.append(element("span", { class: "vm-badge" }, say("demo")));
  if (page.links) {
    if (page.who) where.append(element("a", { class: "vm-who", href: "/me" }, page.who));
    const other = page.lang === "zh" ? "en" : "zh";
    where.append(element("a", { class: "vm-switch", href: `?lang=${other}`, lang: other, hreflang: other }, say("other_language")));
  }
  const key = figures.left_out ? "title_left" : "title";
  const values = { name: page.plan.name, stops: figure(figures.stops), left: figure(figures.left_out), days: desk.view.problem.days.length, teams: desk.view.teams.length };
  const nav = element("nav", { class: "vm-nav" });
  for (const [href, words] of page.doors) nav.append(element("a", { href, ...(href === page.links?.routes && { "aria-current": "true" }) }, words));
  head.replaceChildren(where, element("h1", {}, say(key, values)), ...(page.doors.length ? [nav] : []));
}

function figuresPart({ plan }) {
  const said = plan.figures;
  const rows = [
    ["fig_stops", figure(said.stops), ""],
    ["fig_left", figure(said.left_out), ""],
    ["fig_villages", figure(said.villages), say("of", { whole: figure(said.villages_in_all) })],
    ["fig_travel", inHours(said.travel_s), ""],
    ["fig_distance", inKilometres(said.distance_m), ""],
    ["fig_spread", `${figure(Math.round(said.spread_percent * 10) / 10)}\u202f%`, ""],
  ];
  const list = element("dl", { class: "vm-figures" });
  for (const [key, value, more] of rows) list.append(element("div", {}, element("dt", {}, say(key)), element("dd", {}, element("b", {}, value), more)));
  return list;
}

function aboutPart(desk) {
  const { answer, plan } = desk.view;
  const lines = [element("p", { class: desk.estimated ? "vm-estimate" : "vm-quiet" }, desk.estimated ? element("b", {}, say("estimate")) : null, answer.told.matrix)];
  if (plan.shortfall?.bound) lines.push(element("p", { class: "vm-breach" }, say("shortfall", { villages: figure(plan.shortfall.villages), bound: figure(plan.shortfall.bound), estimate: figure(plan.shortfall.estimate) })));
  if (answer.sealed) lines.push(element("p", { class: "vm-quiet" }, say("sealed")));
  for (const breach of desk.breaches) lines.push(element("p", { class: "vm-breach" }, breach.sentence));
  const made = [say("made_by", { solver: plan.solver, seed: plan.seed, iterations: figure(plan.iterations), seconds: figure(Math.round(plan.seconds * 10) / 10) })];
  if (plan.lower_bound_s) made.push(say("bound", { time: inHours(plan.lower_bound_s) }));
  lines.push(element("p", { class: "vm-quiet vm-made" }, made.join(say("semicolon")) + say("stop")));
  return lines;
}

function chip(words, pressed, act) {
  const button = element("button", { type: "button", class: "vm-chip", "aria-pressed": String(pressed) }, ...words);
  button.addEventListener("click", act);
  return button;
}

/** Chips that narrow map and list to a day and a team. */
function filterPart(desk) {
  const { view, filter } = desk;
  const days = element("div", { class: "vm-chips", role: "group", "aria-label": say("choose_day") });
  if (view.problem.days.length > 1) {
    days.append(chip([say("all_days")], !filter.day, () => desk.narrow({ day: 0 })));
    view.problem.days.forEach((_, index) => {
      const words = [lineSwatch("currentColor", index + 1), shortDay(view.problem, index + 1)];
      days.append(chip(words, filter.day === index + 1, () => desk.narrow({ day: index + 1 })));
    });
  }
  const teams = element("div", { class: "vm-chips", role: "group", "aria-label": say("choose_team") });
  if (view.teams.length > 1) {
    teams.append(chip([say("all_teams")], !filter.team, () => desk.narrow({ team: "" })));
    for (const team of view.teams) teams.append(chip([teamBadge(team), team.name], filter.team === team.id, () => desk.narrow({ team: team.id })));
  }
  return [days, teams].filter((each) => each.childElementCount);
}

function toolsPart(desk) {
  const print = element("button", { type: "button" }, say("print"));
  print.addEventListener("click", () => window.print());
  const tools = element("div", { class: "vm-tools" }, print);
  if (!desk.source.editable) return tools;
  const undo = element("button", { type: "button", id: "vm-undo" }, say("undo"));
  undo.disabled = !desk.view.answer.can_undo || desk.trying();
  undo.addEventListener("click", () => desk.undo());
  const replan = element("button", { type: "button" }, say("replan"));
  replan.disabled = desk.trying();
  replan.addEventListener("click", () => desk.replan());
  const list = KINDS.map((kind) => element("a", { href: desk.source.sheet(kind), download: "" }, say(`get_${kind}`)));
  list.push(element("a", { href: `${page.links.routes}/${encodeURIComponent(page.plan.id)}.html?lang=${page.lang}`, download: "" }, say("get_html")));
  const take = element("details", { class: "vm-take" }, element("summary", {}, say("take")), element("div", {}, ...list));
  tools.prepend(undo, replan);
  tools.append(take);
  return tools;
}

function leftCard(desk, left) {
  const { view } = desk;
  const told = view.answer.told.left_out[left.stop] ?? { why: "", proof: [], hints: [] };
  const name = element("button", { type: "button", class: "vm-name-button" }, view.name(left.stop));
  name.addEventListener("click", () => desk.open(left.stop));
  const row = element("li", { "data-stop": left.stop }, name, element("span", { class: "vm-why" }, told.why || say("not_in_plan")));
  if (desk.editable()) {
    const add = element("button", { type: "button", class: "vm-add" }, say("put_in"));
    add.addEventListener("click", () => desk.edit(left.stop));
    row.append(add);
  }
  const lines = (kind, said) => (said.length ? [element("p", { class: "vm-quiet" }, say(kind)), element("ul", {}, ...said.map((line) => element("li", {}, line)))] : []);
  if (told.proof.length || told.hints.length) {
    row.append(element("details", {}, element("summary", {}, say("why_and_how")), ...lines("hints", told.hints), ...lines("proof", told.proof)));
  }
  return row;
}

function leftPart(desk) {
  const { left_out } = desk.view.plan;
  if (!left_out.length) return element("p", { class: "vm-card vm-quiet" }, say("none_left"));
  const cards = left_out.map((left) => leftCard(desk, left));
  return element("section", { class: "vm-card", id: "vm-left" }, element("h2", {}, say("left_out", { count: figure(left_out.length) })), element("ul", { class: "vm-left-list" }, ...cards));
}

function routesPart(desk) {
  const { view, filter } = desk;
  const wanted = view.shifts().filter(({ team, day }) => (!filter.day || day === filter.day) && (!filter.team || team.id === filter.team));
  const cards = wanted.map((shift) => {
    const key = routeKey(shift.team.id, shift.day);
    const route = view.byKey.get(key);
    return route?.calls.length ? routeCard(desk, route, desk.openKeys.has(key)) : emptyCard(desk, shift);
  });
  return element("section", { class: "vm-card vm-routes-list" }, element("h2", {}, say("routes")), ...cards);
}

function findingsPart({ view }) {
  const { findings } = view.answer;
  if (!findings.length) return null;
  return element("section", { class: "vm-card" }, element("h2", {}, say("findings")), element("ul", {}, ...findings.map((each) => element("li", {}, each.sentence))));
}

/** Draw all of the panel anew; what had the focus gets it again. */
export function drawRoutePanel(desk) {
  const panel = document.getElementById("vm-panel");
  panel.setAttribute("aria-label", say("panel"));
  const held = document.activeElement?.closest("[data-stop]")?.dataset.stop;
  const summary = element("section", { class: "vm-card", id: "vm-summary" }, figuresPart(desk.view), ...aboutPart(desk), toolsPart(desk));
  const filters = element("section", { class: "vm-card vm-filters" }, ...filterPart(desk));
  const parts = [summary, filters.childElementCount ? filters : null, routesPart(desk), leftPart(desk), findingsPart(desk)];
  panel.replaceChildren(...parts.filter(Boolean));
  if (held) panel.querySelector(`[data-stop="${CSS.escape(held)}"] .vm-more, [data-stop="${CSS.escape(held)}"] button`)?.focus({ preventScroll: true });
}
