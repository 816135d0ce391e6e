// Choosing what to call at, one by one: on a map by click or lasso, in a list by ticks; villages and open issues.
import { element, figure, page, say } from "./page.js";
import { addCaption, labelZoom } from "./controls.js";
import { addPanes, drawCounty, drawNames, drawVillages } from "./places.js";
import { drawRing, ringHolds } from "./lasso.js";
import { ask } from "./route-source.js";

const SHOWN_ROWS = 400;
const FAR = 10;
const LOOKS = {
  village: { radius: 6, weight: 1.5, color: "#4B5563", fillColor: "#fff", fillOpacity: 1 },
  issue: { radius: 4.5, weight: 1.5, color: "#8C4A3A", fillColor: "#F5E9E4", fillOpacity: 1 },
  chosen: { weight: 2, color: "#fff", fillColor: "#2166AC", fillOpacity: 1, radius: 8 },
};

/** A village or issue as something to choose. */
function candidate(feature) {
  const said = feature.properties;
  const village = said.kind === "village";
  const kindName = page.categories[said.category] ?? said.category;
  const name = village ? said.name : [kindName, said.village_name, said.name].filter(Boolean).join(" ");
  const [lon, lat] = feature.geometry.coordinates;
  return { kind: said.kind, key: `${said.kind}:${feature.id}`, code: village ? feature.id : said.issue, name, lon, lat };
}

export class Chooser {
  constructor(box, list, count) {
    this.list = list;
    this.count = count;
    this.chosen = new Map();
    this.candidates = [];
    this.dots = new Map();
    this.map = L.map(box, { attributionControl: false, zoomAnimation: false, zoomSnap: 0.25, minZoom: 6, maxZoom: 18 });
    L.control.scale({ imperial: false }).addTo(this.map);
    const [west, south, east, north] = page.bbox;
    this.map.fitBounds([[south, west], [north, east]], { padding: [16, 16], animate: false });
    labelZoom(this.map);
    box.setAttribute("aria-label", say("choose_map"));
    this.ground = L.layerGroup().addTo(this.map);
    this.names = L.layerGroup().addTo(this.map);
    this.points = L.layerGroup().addTo(this.map);
    addPanes(this.map);
    addCaption(this.map);
  }

  async start() {
    const [towns, villages] = await Promise.all([ask(`${page.links.towns}?limit=1000`), ask(`${page.links.villages}?limit=1000`)]);
    drawCounty(this.ground, towns);
    drawVillages(this.ground, villages);
    const place = drawNames(this.map, this.names, towns);
    this.map.on("zoomend", () => {
      place([]);
      for (const [key, dot] of this.dots) dot.setRadius(this.radius(this.candidateOf.get(key)));
    });
    place([]);
  }

  /** What the filter leaves: villages of some towns, or their open issues. */
  async offer({ kind, towns, category, overdue }) {
    const asked = new URLSearchParams(towns.map((town) => ["town", town]));
    if (kind === "issue" && category) asked.set("category", category);
    if (kind === "issue" && overdue) asked.set("overdue", "true");
    const address = `${page.links.stops}?${asked}`;
    this.asked = address;
    const { features } = await ask(address.replace(/\?$/, ""));
    if (address !== this.asked) return;
    this.candidates = features.filter((feature) => feature.properties.kind === kind).map(candidate);
    this.draw();
  }

  draw() {
    this.points.clearLayers();
    this.dots.clear();
    const shown = new Map([...this.chosen.values(), ...this.candidates].map((each) => [each.key, each]));
    this.candidateOf = shown;
    for (const each of shown.values()) {
      const dot = L.circleMarker([each.lat, each.lon], this.look(each));
      dot.bindTooltip(element("span", {}, each.name), { direction: "top", offset: [0, -6] });
      dot.on("click", () => this.toggle(each));
      this.dots.set(each.key, dot.addTo(this.points));
    }
    this.drawList([...shown.values()]);
    this.tell();
    this.map.getContainer().dataset.drawn = "yes";
  }

  look(each) {
    return { ...LOOKS[each.kind], ...(this.chosen.has(each.key) && LOOKS.chosen), radius: this.radius(each) };
  }

  /** Smaller while the whole county is in sight on a phone. */
  radius(each) {
    const { radius } = this.chosen.has(each.key) ? LOOKS.chosen : LOOKS[each.kind];
    return this.map.getZoom() < FAR ? 0.6 * radius : radius;
  }

  drawList(shown) {
    const rows = shown.slice(0, SHOWN_ROWS).map((each) => {
      const box = element("input", { type: "checkbox", value: each.key });
      box.checked = this.chosen.has(each.key);
      box.addEventListener("change", () => this.toggle(each, box.checked));
      return element("li", {}, element("label", { class: "vm-tick" }, box, each.name));
    });
    if (shown.length > SHOWN_ROWS) rows.push(element("li", { class: "vm-quiet" }, say("more_rows", { count: figure(shown.length - SHOWN_ROWS) })));
    this.list.replaceChildren(...(rows.length ? rows : [element("li", { class: "vm-quiet" }, say("nothing_fits"))]));
  }

  toggle(each, on = !this.chosen.has(each.key)) {
    if (on) this.chosen.set(each.key, each);
    else this.chosen.delete(each.key);
    this.dots.get(each.key)?.setStyle(this.look(each)).setRadius(this.radius(each));
    const box = this.list.querySelector(`input[value="${CSS.escape(each.key)}"]`);
    if (box) box.checked = on;
    this.tell();
  }

  all(on) {
    if (!on) this.chosen.clear();
    else for (const each of this.candidates) this.chosen.set(each.key, each);
    this.draw();
  }

  /** Add all that a person draws around. */
  async lasso() {
    const ring = await drawRing(this.map, say("lasso_stops")).ended;
    if (!ring) return;
    for (const each of this.candidates) if (ringHolds(ring, each.lon, each.lat)) this.chosen.set(each.key, each);
    this.draw();
  }

  tell() {
    this.count.textContent = say("chosen", { count: figure(this.chosen.size), offered: figure(this.candidates.length) });
  }

  /** The chosen as a request names them. */
  stops() {
    return [...this.chosen.values()].map((each) => ({ [each.kind === "village" ? "place" : "issue"]: each.code }));
  }
}
