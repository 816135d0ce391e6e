// One stop: what it is, and by keyboard or finger the same changes as dragging makes, and its locks.
import { element, say } from "./page.js";
import { clock, inKilometres, inMinutes, shortDay } from "./route-looks.js";
import { routeKey } from "./route-plan.js";

/** What is to be known of a stop, line by line. */
export function stopFacts(desk, stop) {
  const { view } = desk;
  const found = view.where.get(stop);
  const word = view.stops.get(stop);
  const lines = [];
  if (word?.town_name && !word.name.includes(word.town_name)) lines.push(word.town_name);
  if (!found) return [...lines, view.answer.told.left_out[stop]?.why ?? say("not_in_plan")];
  const call = found.route.calls[found.index];
  const team = view.byTeam.get(found.route.team);
  lines.push(say("fact_place", { team: team.name, day: shortDay(view.problem, found.route.day), number: found.index + 1 }));
  lines.push(say("fact_time", { begin: clock(call.begin_s), leave: clock(call.leave_s) }));
  lines.push(say("fact_leg", { time: inMinutes(call.leg_s), distance: inKilometres(call.leg_m) }) + (desk.estimated ? say("fact_estimate") : ""));
  return lines;
}

/** The content of a stop's popup on the map. */
export function stopPopup(desk, stop) {
  const box = element("div", { class: "vm-stop-card" }, element("h2", { tabindex: "-1" }, desk.view.name(stop)), ...stopFacts(desk, stop).map((line) => element("p", {}, line)));
  if (desk.editable()) {
    const adjust = element("button", { type: "button" }, say("adjust_short"));
    adjust.addEventListener("click", () => desk.edit(stop));
    box.append(adjust);
  }
  return box;
}

/** An open dialog with a title and a button that closes it; removed when closed. */
export function openDialog(title, ...content) {
  const close = element("button", { type: "button", class: "vm-close", "aria-label": say("close") }, "\u00d7");
  const dialog = element("dialog", { class: "vm-dialog", "aria-label": title }, element("header", {}, element("h2", {}, title), close), ...content);
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function choice(name, words, options, value) {
  const select = element("select", { name }, ...options.map(([code, said]) => element("option", { value: code }, said)));
  select.value = value;
  return element("label", {}, words, select);
}

export function tick(name, words, checked, more = {}) {
  const box = element("input", { type: "checkbox", name, ...more });
  box.checked = checked;
  return element("label", { class: "vm-tick" }, box, words);
}

function act(words, run, disabled = false) {
  const button = element("button", { type: "button" }, words);
  button.disabled = disabled;
  button.addEventListener("click", run);
  return button;
}

/** Places of a route where the stop could go: in front of all, or behind one of the others. */
function placesIn(view, key, stop) {
  const calls = (view.byKey.get(key)?.calls ?? []).filter((call) => call.stop !== stop);
  return [["0", say("place_first")], ...calls.map((call, index) => [String(index + 1), say("place_after", { number: index + 1, name: view.name(call.stop) })])];
}

function movePart(desk, stop, done) {
  const { view } = desk;
  const found = view.where.get(stop);
  const shifts = view.shifts().map(({ team, day }) => [routeKey(team.id, day), say("shift", { team: `${team.letter} ${team.name}`, day: shortDay(view.problem, day) })]);
  const start = found?.route.key ?? shifts[0][0];
  const shift = choice("shift", say("to_shift"), shifts, start);
  const place = choice("after", say("to_place"), placesIn(view, start, stop), String(found?.index ?? 0));
  const [shiftSelect, placeSelect] = [shift.querySelector("select"), place.querySelector("select")];
  shiftSelect.addEventListener("change", () => {
    const options = placesIn(view, shiftSelect.value, stop);
    placeSelect.replaceChildren(...options.map(([code, said]) => element("option", { value: code }, said)));
    placeSelect.value = options.at(-1)[0];
  });
  const go = (team, day, after) => {
    done();
    desk.move({ stop, team, day, after });
  };
  const row = element("div", { class: "vm-buttons" });
  if (found) {
    const { route, index } = found;
    row.append(act(say("up"), () => go(route.team, route.day, index - 1), index === 0), act(say("down"), () => go(route.team, route.day, index + 1), index === route.calls.length - 1));
    row.append(act(say("take_out"), () => {
      done();
      desk.move({ stop, out: true });
    }));
  }
  const put = act(say(found ? "move_there" : "put_there"), () => {
    const [day, team] = shiftSelect.value.split(/\|(.*)/s);
    go(team, Number(day), Number(placeSelect.value));
  });
  put.className = "vm-go";
  return element("section", {}, element("h3", {}, say("move")), row, shift, place, put);
}

function lockPart(desk, stop, done) {
  const { view } = desk;
  const lock = { team: "", day: 0, position: "", not_day: 0, keep: false, ...view.locks.get(stop)?.[0] };
  const days = view.problem.days.map((_, index) => [String(index + 1), shortDay(view.problem, index + 1)]);
  const team = choice("lock_team", say("lock_to_team"), [["", say("any")], ...view.teams.map((each) => [each.id, `${each.letter} ${each.name}`])], lock.team);
  const day = choice("lock_day", say("lock_to_day"), [["0", say("any")], ...days], String(lock.day));
  const position = choice("lock_position", say("lock_position"), [["", say("any")], ["first", say("lock_first")], ["last", say("lock_last")]], lock.position);
  const notDay = choice("lock_not_day", say("lock_away"), [["0", say("none")], ...days], String(lock.not_day));
  const keep = tick("lock_keep", say("lock_keep"), lock.keep);
  const save = (chosen) => {
    done();
    const others = view.problem.locks.filter((each) => each.stop !== stop);
    desk.lock(chosen ? [...others, chosen] : others);
  };
  const form = element("form", { class: "vm-pairs" }, team, day, position, notDay, keep);
  const set = act(say("lock"), () => {
    const said = form.elements;
    const chosen = {
      stop, team: said.lock_team.value, day: Number(said.lock_day.value), position: said.lock_position.value,
      not_day: Number(said.lock_not_day.value), keep: said.lock_keep.checked,
    };
    save(chosen.team || chosen.day || chosen.position || chosen.not_day || chosen.keep ? chosen : null);
  });
  const buttons = element("div", { class: "vm-buttons" }, set);
  if (view.locks.has(stop)) buttons.append(act(say("unlock"), () => save(null)));
  form.addEventListener("submit", (event) => event.preventDefault());
  return element("section", {}, element("h3", {}, say("locks")), form, buttons);
}

/** The dialog that moves and locks a stop. */
export function editStop(desk, stop) {
  const facts = element("div", { class: "vm-quiet" }, ...stopFacts(desk, stop).map((line) => element("p", {}, line)));
  const parts = [];
  const dialog = openDialog(desk.view.name(stop), facts);
  const done = () => dialog.close();
  parts.push(movePart(desk, stop, done));
  if (!desk.trying()) parts.push(lockPart(desk, stop, done));
  dialog.append(...parts);
}
