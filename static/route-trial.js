// Changes that are only tried: minutes and kilometres at once, what they break; kept, taken back or cancelled.
import { element, figure, say } from "./page.js";
import { inKilometres, inMinutes, signed } from "./route-looks.js";
import { RoutePlan } from "./route-plan.js";

export class Trial {
  constructor(desk) {
    this.desk = desk;
    this.moves = [];
    this.told = null;
    this.bar = element("section", { class: "vm-card", id: "vm-trial", role: "status", hidden: "" });
    document.getElementById("vm-map").append(this.bar);
  }

  /** Try one move more on top of those tried before. */
  async move(said) {
    this.moves.push(said);
    if (!(await this.run())) this.moves.pop();
  }

  async run() {
    const { desk } = this;
    const moves = [...this.moves];
    if (!moves.length) {
      this.cancel();
      return true;
    }
    try {
      const told = await desk.source.tryMoves(moves);
      if (moves.length !== this.moves.length) return true;
      this.told = told;
      desk.show(new RoutePlan(desk.stored.answer, told.plan), told.breaches);
      this.draw();
      return true;
    } catch (fault) {
      desk.fail(fault.message);
      return false;
    }
  }

  draw() {
    const { delta, breaches } = this.told;
    const rows = [
      ["delta_travel", signed(delta.travel_s, inMinutes)],
      ["delta_distance", signed(delta.distance_m, inKilometres)],
      ["delta_working", signed(delta.working_s, inMinutes)],
    ];
    if (delta.stops) rows.push(["delta_stops", signed(delta.stops, figure)]);
    const list = element("dl", {}, ...rows.map(([key, value]) => element("div", {}, element("dt", {}, say(key)), element("dd", {}, value))));
    const said = breaches.length
      ? element("div", { class: "vm-breaks" }, element("p", {}, element("b", {}, say("breaks", { count: figure(breaches.length) }))), element("ul", {}, ...breaches.slice(0, 4).map((each) => element("li", {}, each.sentence))))
      : element("p", { class: "vm-quiet" }, say("breaks_nothing"));
    const keep = this.button(say(breaches.length ? "keep_anyway" : "keep"), () => this.keep(breaches.length > 0), "vm-go");
    const back = this.moves.length > 1 ? this.button(say("step_back"), () => this.stepBack()) : null;
    const buttons = element("div", { class: "vm-buttons" }, keep, ...(back ? [back] : []), this.button(say("cancel"), () => this.cancel()));
    this.bar.replaceChildren(element("h2", {}, say("trial", { count: figure(this.moves.length) })), list, said, buttons);
    this.bar.hidden = false;
  }

  button(words, run, kind = "") {
    const button = element("button", { type: "button", ...(kind && { class: kind }) }, words);
    button.addEventListener("click", run);
    return button;
  }

  stepBack() {
    this.moves.pop();
    this.run();
  }

  async keep(force) {
    const { desk, moves } = this;
    try {
      const answer = await desk.source.keepMoves(moves, desk.stored.answer.revision, force);
      this.end();
      await desk.accept(answer, say("kept"));
    } catch (fault) {
      desk.fail(fault.message);
    }
  }

  /** Nothing was tried any more: the plan as it is kept. */
  cancel() {
    this.end();
    this.desk.show(this.desk.stored, this.desk.stored.answer.told.breaches);
  }

  end() {
    this.moves = [];
    this.told = null;
    this.bar.hidden = true;
  }
}
