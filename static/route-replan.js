// A new plan during the day: what is done, who is late or broken down, what is closed, what came in.
import { element, figure, page, say } from "./page.js";
import { drawRing, pickPoint, ringPolygon } from "./lasso.js";
import { clock, secondsOf, shortDay } from "./route-looks.js";
import { followJob } from "./route-job.js";
import { choice, openDialog, tick } from "./route-stop.js";

const KINDS_OF_CHANGE = ["moved", "dropped", "added"];

function input(name, words, attributes) {
  return element("label", {}, words, element("input", { name, ...attributes }));
}

export class Replan {
  constructor(desk) {
    this.desk = desk;
    this.closed = [];
    this.added = [];
  }

  open() {
    const { view } = this.desk;
    this.closed = [];
    this.added = [];
    const days = view.problem.days.map((_, index) => [String(index + 1), shortDay(view.problem, index + 1)]);
    const today = view.problem.days.indexOf(page.today) + 1 || 1;
    this.form = element("form", { class: "vm-replan" });
    this.teams = element("div", { class: "vm-day-teams" });
    const head = element("div", { class: "vm-pairs" }, choice("day", say("replan_day"), days, String(today)), input("now", say("replan_now"), { type: "time", required: "", value: "12:00" }));
    this.notes = element("ul", { class: "vm-notes" });
    this.box = element("div", { class: "vm-job", hidden: "" });
    this.fault = element("p", { class: "vm-fault", role: "alert", hidden: "" });
    const start = element("button", { class: "vm-go" }, say("replan_start"));
    this.form.append(head, element("p", { class: "vm-quiet" }, say("replan_how")), this.teams, this.extraPart(), this.notes, this.fault, start);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(start);
    });
    for (const name of ["day", "now"]) this.form.elements[name].addEventListener("change", () => this.drawTeams());
    this.drawTeams();
    this.dialog = openDialog(say("replan"), this.form, this.box);
  }

  /** The day's teams with their calls; what should be over by now is ticked as done. */
  drawTeams() {
    const { view } = this.desk;
    const day = Number(this.form.elements.day.value);
    const now = secondsOf(this.form.elements.now.value || "00:00");
    const cards = view.routes.filter((route) => route.day === day).map((route) => {
      const team = view.byTeam.get(route.team);
      const calls = route.calls.map((call, index) => tick("done", `${index + 1} ${view.name(call.stop)} ${clock(call.leave_s)}`, call.done || call.leave_s <= now, { value: call.stop }));
      const ahead = route.calls.find((call) => call.begin_s <= now && now < call.leave_s);
      const options = [["", say("none")], ...route.calls.map((call) => [call.stop, view.name(call.stop)])];
      const row = element("div", { class: "vm-pairs" }, choice(`under_${team.id}`, say("under_way"), options, ahead?.stop ?? ""), input(`late_${team.id}`, say("late"), { type: "number", min: "0", max: "600", value: "0", inputmode: "numeric" }));
      const done = element("details", {}, element("summary", {}, say("done_calls")), ...calls);
      return element("fieldset", {}, element("legend", {}, `${team.letter} ${team.name}`), tick("broken", say("broken"), false, { value: team.id }), row, done);
    });
    this.teams.replaceChildren(...(cards.length ? cards : [element("p", {}, say("no_route_that_day"))]));
  }

  extraPart() {
    const button = (words, run) => {
      const made = element("button", { type: "button" }, words);
      made.addEventListener("click", run);
      return made;
    };
    return element("div", { class: "vm-buttons" }, button(say("close_area"), () => this.drawClosed()), button(say("add_stop"), () => this.addStop()));
  }

  async drawClosed() {
    this.dialog.close();
    const { map } = this.desk.onMap;
    const ring = await drawRing(map, say("lasso_closed")).ended;
    if (ring) this.closed.push(ringPolygon(ring));
    this.comeBack();
  }

  async addStop() {
    this.dialog.close();
    const at = await pickPoint(this.desk.onMap.map, say("pick_stop"));
    if (at) this.added.push({ id: `new-${Date.now().toString(36)}`, name: say("new_stop", { number: this.added.length + 1 }), lon: at[0], lat: at[1], service_min: 20, must: true });
    this.comeBack();
  }

  /** The dialog again, with what was filled in before. */
  comeBack() {
    const { form, box } = this;
    this.dialog = openDialog(say("replan"), form, box);
    const lines = [];
    if (this.closed.length) lines.push(element("li", {}, say("closed_areas", { count: figure(this.closed.length) })));
    for (const stop of this.added) {
      const name = element("input", { value: stop.name, "aria-label": say("stop_name"), maxlength: "60" });
      name.addEventListener("input", () => { stop.name = name.value; });
      lines.push(element("li", {}, name));
    }
    this.notes.replaceChildren(...lines);
  }

  said() {
    const { form } = this;
    const checked = (name) => [...form.querySelectorAll(`input[name=${name}]:checked`)].map((each) => each.value);
    const named = (start) => [...form.querySelectorAll(`[name^=${start}]`)].map((each) => [each.name.slice(start.length), each.value]);
    return {
      day: Number(form.elements.day.value),
      now: form.elements.now.value,
      done: checked("done"),
      under_way: Object.fromEntries(named("under_").filter(([, stop]) => stop)),
      late: Object.fromEntries(named("late_").map(([team, late]) => [team, Number(late)]).filter(([, late]) => late > 0)),
      broken: checked("broken"),
      closed: this.closed,
      new_stops: this.added,
      revision: this.desk.stored.answer.revision,
    };
  }

  async send(start) {
    start.disabled = true;
    this.fault.hidden = true;
    try {
      const { href } = await this.desk.source.replan(this.said());
      this.result(await followJob(this.box, href));
    } catch (fault) {
      this.fault.textContent = fault.message;
      this.fault.hidden = false;
      this.box.hidden = true;
    }
    start.disabled = false;
  }

  /** What the new plan changes, line by line, and the way to it. */
  result({ plan, changes = {} }) {
    const { view } = this.desk;
    const parts = KINDS_OF_CHANGE.filter((kind) => changes[kind]?.length).map((kind) => {
      const lines = changes[kind].map((each) => element("li", {}, each.sentence ?? view.name(each.stop ?? each)));
      return element("section", {}, element("h3", {}, say(`change_${kind}`, { count: figure(lines.length) })), element("ul", {}, ...lines));
    });
    if (!parts.length) parts.push(element("p", {}, say("change_none")));
    if (changes.stability !== undefined) parts.push(element("p", { class: "vm-quiet" }, say("stability", { percent: figure(Math.round(changes.stability)) })));
    const go = element("a", { class: "vm-button vm-go", href: `${page.links.routes}/${encodeURIComponent(plan)}` }, say("to_new_plan"));
    this.form.hidden = true;
    this.box.replaceChildren(...parts, go);
    this.box.hidden = false;
    go.focus();
  }
}
