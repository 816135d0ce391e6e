// One team's day as a table that a driver can follow: start, calls with their legs, lunch, the way back.
import { element, figure, say } from "./page.js";
import { clock, dayDash, inHours, inKilometres, inMinutes, shortDay, teamBadge } from "./route-looks.js";
import { sums } from "./route-plan.js";

const SVG_SPACE = "http://www.w3.org/2000/svg";

/** A day's line as it stands on the map, for legends and headings. */
export function lineSwatch(colour, day) {
  const swatch = document.createElementNS(SVG_SPACE, "svg");
  swatch.setAttribute("viewBox", "0 0 44 8");
  swatch.setAttribute("class", "vm-line");
  swatch.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(SVG_SPACE, "path");
  for (const [name, value] of [["d", "M1 4H43"], ["stroke", colour], ["stroke-width", 3.5]]) line.setAttribute(name, value);
  if (dayDash(day)) line.setAttribute("stroke-dasharray", dayDash(day));
  swatch.append(line);
  return swatch;
}

/** What holds of a lock, in words. */
export function lockWords(view, lock) {
  const parts = [];
  if (lock.team) parts.push(say("lock_team", { team: view.byTeam.get(lock.team)?.name ?? lock.team }));
  if (lock.day) parts.push(say("lock_day", { day: shortDay(view.problem, lock.day) }));
  if (lock.position) parts.push(say(lock.position === "first" ? "lock_first" : "lock_last"));
  if (lock.not_day) parts.push(say("lock_not_day", { day: shortDay(view.problem, lock.not_day) }));
  if (lock.keep) parts.push(say("lock_keep"));
  return parts.join(say("comma"));
}

function legCell(leg_s, leg_m, estimated) {
  const cell = element("td", { class: "vm-leg" }, inMinutes(leg_s), element("br"), " ", inKilometres(leg_m));
  if (estimated) cell.prepend(element("span", { title: say("estimated") }, "\u2248\u202f"));
  return cell;
}

function notes(view, call) {
  const stop = view.stops.get(call.stop);
  const said = [];
  if (stop?.town_name && !stop.name.includes(stop.town_name)) said.push(stop.town_name);
  if (stop?.windows.length) said.push(say("window", { list: stop.windows.map((each) => `${clock(each.start_s)}\u2013${clock(each.end_s)}`).join(say("comma")) }));
  if (call.wait_s) said.push(say("wait", { time: inMinutes(call.wait_s) }));
  if (call.done) said.push(say("done"));
  for (const lock of view.locks.get(call.stop) ?? []) said.push(say("locked", { list: lockWords(view, lock) }));
  return said.join(" \u00b7 ");
}

function callRow(desk, route, index) {
  const { view } = desk;
  const call = route.calls[index];
  const name = element("button", { type: "button", class: "vm-name-button" }, view.name(call.stop));
  name.addEventListener("click", () => desk.open(call.stop));
  const number = element("td", { class: "vm-number" }, element("span", {}, String(index + 1)));
  if (desk.editable() && !call.done) {
    number.prepend(element("span", { class: "vm-grip", "aria-hidden": "true", title: say("grip") }, "\u2807"));
  }
  const said = notes(view, call);
  const row = element("tr", { "data-stop": call.stop, "data-index": String(index) },
    number,
    element("td", { class: "vm-time" }, clock(call.begin_s), element("span", {}, `\u2013${clock(call.leave_s)}`)),
    element("td", { class: "vm-where-to" }, name, said ? element("span", { class: "vm-quiet" }, said) : null),
    legCell(call.leg_s, call.leg_m, desk.estimated));
  if (desk.editable()) {
    const more = element("button", { type: "button", class: "vm-more", "aria-label": say("adjust", { name: view.name(call.stop) }) }, "\u22ef");
    more.addEventListener("click", () => desk.edit(call.stop));
    row.append(element("td", { class: "vm-do" }, more));
  }
  for (const breach of desk.breaches.filter((each) => each.stop === call.stop)) {
    row.classList.add("vm-broken");
    row.querySelector(".vm-where-to").append(element("span", { class: "vm-breach" }, breach.sentence));
  }
  return row;
}

function plainRow(kind, [from, until], words, leg, editable) {
  const time = element("td", { class: "vm-time" }, clock(from), until ? element("span", {}, `\u2013${clock(until)}`) : null);
  return element("tr", { class: kind }, element("td"), time, element("td", {}, words), leg ?? element("td", { class: "vm-leg" }), editable ? element("td", { class: "vm-do" }) : null);
}

function bodyRows(desk, route) {
  const { view } = desk;
  const team = view.byTeam.get(route.team);
  const editable = desk.editable();
  const rows = [plainRow("vm-end", [route.leave_s], say("leaves", { place: view.name(team.start) }), null, editable)];
  const lunch = () => plainRow("vm-end", [route.lunch.begin_s, route.lunch.end_s], say("lunch"), null, editable);
  route.calls.forEach((_, index) => {
    if (route.lunch?.after === index) rows.push(lunch());
    rows.push(callRow(desk, route, index));
  });
  if (route.lunch && route.lunch.after >= route.calls.length) rows.push(lunch());
  const back = legCell(route.back_leg_s, route.back_leg_m, desk.estimated);
  rows.push(plainRow("vm-end", [route.back_s], say("back", { place: view.name(team.end) }), back, editable));
  return rows;
}

function heading(desk, route) {
  const { view } = desk;
  const team = view.byTeam.get(route.team);
  const { travel_s, distance_m } = sums(route);
  const totals = say("route_totals", {
    count: figure(route.calls.length), travel: inHours(travel_s), distance: inKilometres(distance_m), back: clock(route.back_s),
  });
  return element("summary", {}, teamBadge(team),
    element("span", { class: "vm-route-name" }, element("b", {}, team.name), " ", element("span", {}, say("on_day", { number: route.day, day: shortDay(view.problem, route.day) }))),
    lineSwatch(team.colour, route.day),
    element("span", { class: "vm-quiet vm-totals" }, totals));
}

/** A route as a card that opens; what is broken in it stands on top. */
export function routeCard(desk, route, open) {
  const card = element("details", { class: "vm-route", "data-key": route.key, ...(open && { open: "" }) }, heading(desk, route));
  for (const breach of desk.breaches.filter((each) => each.team === route.team && each.day === route.day && !each.stop)) {
    card.append(element("p", { class: "vm-breach" }, breach.sentence));
  }
  const heads = [["number", "vm-number"], ["time", "vm-time"], ["stop", ""], ["leg", "vm-leg"]].map(([key, kind]) => element("th", { scope: "col", class: kind }, say(`head_${key}`)));
  if (desk.editable()) heads.push(element("th", { class: "vm-do" }, element("span", { class: "vm-unseen" }, say("head_do"))));
  card.append(element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...bodyRows(desk, route))));
  if (desk.source.editable) card.append(downloads(desk, route));
  card.addEventListener("toggle", () => desk.opened(route.key, card.open));
  return card;
}

/** A shift without any call: somewhere to put stops. */
export function emptyCard(desk, { team, day }) {
  const said = element("span", { class: "vm-route-name" }, element("b", {}, team.name), " ", say("on_day", { number: day, day: shortDay(desk.view.problem, day) }));
  return element("div", { class: "vm-route vm-empty-shift", "data-shift": `${day}|${team.id}` }, teamBadge(team), said, element("span", { class: "vm-quiet" }, say(desk.editable() ? "empty_shift" : "empty_sealed")));
}

function downloads(desk, route) {
  const links = ["pdf", "gpx", "txt"].map((kind) => element("a", { href: desk.source.sheet(kind, route.team, route.day), download: "" }, say(`get_${kind}`)));
  return element("p", { class: "vm-links" }, ...links);
}
