// Puts a plan on the map that Folium framed, and its tables beside it.
import { element, readBlock, say } from "./page.js";
import { RoutePlan } from "./route-plan.js";
import { HeldRoutes, ServedRoutes } from "./route-source.js";
import { RoutesOnMap } from "./route-map.js";
import { drawHead, drawRoutePanel } from "./route-panel.js";
import { dragMark, dragRows } from "./route-drag.js";
import { editStop, stopPopup } from "./route-stop.js";
import { Trial } from "./route-trial.js";
import { Replan } from "./route-replan.js";

const faultBox = document.getElementById("vm-fault");
const panelBox = document.getElementById("vm-panel");
const held = readBlock("villagemap-routes");
const MANY_STOPS = 120;

/** What map, panel and dialogs share: the plan that is shown, the plan that is kept, what is chosen. */
const desk = {
  source: held ? new HeldRoutes(held) : new ServedRoutes(),
  filter: { day: 0, team: "", key: "" },
  openKeys: new Set(),
  breaches: [],
  view: null,
  stored: null,
  estimated: false,

  editable() {
    return this.source.editable && !this.view.answer.sealed;
  },

  trying() {
    return this.trial.moves.length > 0;
  },

  /** Draw a plan, kept or only tried. */
  show(view, breaches = []) {
    this.view = view;
    this.breaches = breaches;
    this.estimated = Boolean(view.plan.matrix.estimated);
    this.redraw();
  },

  redraw() {
    this.onMap.draw(this.view, this.filter);
    drawHead(this);
    drawRoutePanel(this);
  },

  /** Show one day or team, or all; a route is chosen when that leaves one. */
  narrow(part) {
    Object.assign(this.filter, part);
    const left = this.view.routes.filter((route) => (!this.filter.day || route.day === this.filter.day) && (!this.filter.team || route.team === this.filter.team));
    this.filter.key = "";
    if (left.length === 1) this.openKeys.add(left[0].key);
    this.redraw();
    this.onMap.fit();
  },

  /** A route was opened or shut in the list: the one opened last stands out on the map. */
  opened(key, open) {
    if (open === this.openKeys.has(key)) return;
    if (open) this.openKeys.add(key);
    else this.openKeys.delete(key);
    if (this.printing) return;
    this.filter.key = open ? key : "";
    this.onMap.draw(this.view, this.filter);
  },

  /** Show a stop in the list and on the map. */
  open(stop) {
    const found = this.view.where.get(stop);
    if (found && !this.openKeys.has(found.route.key)) {
      this.openKeys.add(found.route.key);
      this.filter.key = found.route.key;
      this.redraw();
    }
    for (const row of panelBox.querySelectorAll(".vm-here")) row.classList.remove("vm-here");
    const row = panelBox.querySelector(`[data-stop="${CSS.escape(stop)}"]`);
    row?.classList.add("vm-here");
    if (window.matchMedia("(min-width: 1024px)").matches) row?.scrollIntoView({ block: "nearest" });
    this.onMap.flash(stop);
    const at = this.view.at(stop);
    if (!at) return;
    const popup = L.popup({ maxWidth: 300, minWidth: 200, offset: [0, -8], autoPanPadding: [12, 12] }).setLatLng(at).setContent(stopPopup(this, stop)).openOn(this.onMap.map);
    popup.getElement().querySelector(".leaflet-popup-close-button")?.setAttribute("aria-label", say("close"));
  },

  edit(stop) {
    this.onMap.map.closePopup();
    editStop(this, stop);
  },

  draggable(mark) {
    dragMark(this, mark);
  },

  move(said) {
    return this.trial.move(said);
  },

  async undo() {
    await this.change(() => this.source.undo(this.stored.answer.revision), say("undone"));
  },

  async lock(locks) {
    await this.change(() => this.source.setLocks(locks, this.stored.answer.revision), say("locks_kept"));
  },

  async change(run, words) {
    try {
      await this.accept(await run(), words);
    } catch (fault) {
      this.fail(fault.message);
    }
  },

  /** A plan as the server keeps it now. */
  async accept(answer, words) {
    this.stored = new RoutePlan(answer);
    this.onMap.keepLegs(await this.source.legs(), this.stored);
    this.show(this.stored, answer.told.breaches);
    this.tell(words);
  },

  replan() {
    new Replan(this).open();
  },

  tell(words) {
    faultBox.className = "vm-told";
    faultBox.replaceChildren(element("span", {}, words));
    faultBox.hidden = false;
    clearTimeout(this.telling);
    this.telling = setTimeout(() => { faultBox.hidden = true; }, 4000);
  },

  fail(words, retry = null) {
    clearTimeout(this.telling);
    faultBox.className = "";
    const button = element("button", { type: "button" }, say(retry ? "retry" : "close"));
    button.addEventListener("click", () => {
      faultBox.hidden = true;
      retry?.();
    });
    faultBox.replaceChildren(element("span", {}, words), button);
    faultBox.hidden = false;
  },
};

async function drawPlan() {
  try {
    const [answer, legs] = await Promise.all([desk.source.load(), desk.source.legs()]);
    desk.stored = new RoutePlan(answer);
    desk.onMap.keepLegs(legs, desk.stored);
    const many = desk.stored.stops.size > MANY_STOPS && desk.stored.problem.days.length > 1;
    if (many) desk.filter.day = 1;
    if (desk.stored.routes.length === 1) desk.openKeys.add(desk.stored.routes[0].key);
    desk.show(desk.stored, answer.told.breaches);
    desk.onMap.fit();
  } catch (fault) {
    desk.fail(fault.status ? fault.message : say("fault"), drawPlan);
  }
}

async function drawLand() {
  try {
    const [towns, villages] = await Promise.all([desk.source.towns(), desk.source.villages()]);
    desk.onMap.drawGround(towns, villages);
  } catch {
    desk.fail(say("fault"), drawLand);
  }
}

/** On paper every route is open. */
function openAll() {
  desk.printing = true;
  for (const card of panelBox.querySelectorAll("details.vm-route:not([open])")) {
    card.open = true;
    card.dataset.shut = "yes";
  }
}

function shutAgain() {
  for (const card of panelBox.querySelectorAll("details[data-shut]")) {
    card.open = false;
    delete card.dataset.shut;
  }
  setTimeout(() => { desk.printing = false; }, 0);
}

function undoKey(event) {
  if (!(event.ctrlKey || event.metaKey) || event.key !== "z" || !desk.source.editable) return;
  if (event.target.closest("input, textarea, select, dialog")) return;
  event.preventDefault();
  if (desk.trying()) desk.trial.stepBack();
  else if (desk.view?.answer.can_undo) desk.undo();
}

desk.onMap = new RoutesOnMap(window.villagemap_frame, desk);
desk.trial = new Trial(desk);
desk.onMap.map.getContainer().setAttribute("aria-label", say("map_of_routes"));
desk.onMap.start();
dragRows(panelBox, desk);
window.addEventListener("beforeprint", openAll);
window.addEventListener("afterprint", shutAgain);
document.addEventListener("keydown", undoKey);
drawLand();
drawPlan();
