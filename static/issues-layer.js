// The issues of the viewport: tile by tile, fetched when needed, given up when no longer wanted.
import { category, element, group, label, page, say } from "./page.js";
import { clusterSize, clusterWords, issueMark, LOOKS, STACK } from "./marks.js";
import { declutter } from "./declutter.js";
import { clusterBadge } from "./panel.js";

const TILE = 512;
const SAME_SPOT = 24;
const CLUSTER_STACK = 2000;

/** An icon that is the element it is given: text in it can't become markup. */
const DrawnIcon = L.Icon.extend({
  createIcon() {
    return this.options.element;
  },
  createShadow() {
    return null;
  },
});

/** A mark that mouse, finger and keyboard press alike. */
function pressable(at, node, words, stack, act) {
  node.setAttribute("aria-label", words);
  node.title = words;
  const marker = L.marker(at, { icon: new DrawnIcon({ element: node }), zIndexOffset: stack, riseOnHover: true });
  marker.on("click", act);
  marker.on("keydown", ({ originalEvent }) => {
    if (originalEvent.key !== "Enter" && originalEvent.key !== " ") return;
    originalEvent.preventDefault();
    act();
  });
  return marker;
}

export class IssuesLayer {
  /** `open(id, at)` and `openSpot(bounds, at)` show what is there; `fault(what, retry)` hears of a failed fetch. */
  constructor(map, source, { open, openSpot, fault, drawn }) {
    Object.assign(this, { map, source, open, openSpot, fault, drawn });
    this.tiles = new Map();
    this.shown = new Map();
    this.hidden = new Set();
    this.marks = [];
    map.on("moveend", () => this.refresh());
  }

  /** Show or hide one group of issues. */
  toggle(code, shown) {
    if (shown) this.hidden.delete(code);
    else this.hidden.add(code);
    this.refresh();
  }

  /** The categories to ask for: null for all. */
  categories() {
    if (!this.hidden.size) return null;
    return Object.keys(page.categories).filter((code) => !this.hidden.has(page.categories[code].group));
  }

  /** Key to tile place, for the viewport and what is hidden now. */
  wanted() {
    const keys = new Map();
    if (this.hidden.size === page.groups.length) return keys;
    const zoom = Math.max(1, Math.round(this.map.getZoom()));
    const [hidden, world] = [[...this.hidden].sort().join(), 2 ** (zoom - 1)];
    const bounds = this.map.getBounds();
    const index = (value) => Math.min(world - 1, Math.max(0, Math.floor(value / TILE)));
    const [from, to] = [bounds.getNorthWest(), bounds.getSouthEast()].map((corner) => this.map.project(corner, zoom));
    for (let x = index(from.x); x <= index(to.x); x += 1) {
      for (let y = index(from.y); y <= index(to.y); y += 1) keys.set(`${zoom - 1}/${x}/${y}/${hidden}`, [zoom - 1, x, y]);
    }
    return keys;
  }

  refresh() {
    const wanted = this.wanted();
    for (const [key, tile] of this.tiles) {
      if (!wanted.has(key) && !tile.answer) this.drop(key);
    }
    for (const [key, place] of wanted) {
      if (!this.tiles.has(key)) this.load(key, place);
    }
    this.draw();
  }

  async load(key, place) {
    const tile = { answer: null, abort: new AbortController() };
    this.tiles.set(key, tile);
    try {
      const answer = await this.source.tile(...place, this.categories(), tile.abort.signal);
      if (this.tiles.get(key) !== tile) return;
      tile.answer = answer;
      this.draw();
    } catch {
      if (tile.abort.signal.aborted) return;
      this.tiles.delete(key);
      this.fault("issues", () => this.refresh());
    }
  }

  drop(key) {
    this.tiles.get(key).abort.abort();
    this.tiles.delete(key);
  }

  /** Draw once all of the viewport is there, so that nothing blinks or is counted twice on the way. */
  draw() {
    const wanted = this.wanted();
    const answers = [...wanted.keys()].map((key) => this.tiles.get(key)?.answer);
    if (!answers.every(Boolean)) return;
    for (const key of [...this.tiles.keys()]) {
      if (!wanted.has(key)) this.drop(key);
    }
    this.marks = declutter(answers, (lat, lon) => this.map.latLngToLayerPoint([lat, lon]));
    const scene = new Map();
    for (const { features = [], shapes = {} } of answers) {
      for (const feature of features) {
        if (Object.hasOwn(shapes, feature[0])) scene.set(`shape ${feature[0]}`, () => this.outline(feature, shapes[feature[0]]));
      }
    }
    for (const mark of this.marks) {
      if (mark.feature) scene.set(`issue ${mark.feature}`, () => this.single(mark.feature));
      else scene.set(`cluster ${mark.lon} ${mark.lat} ${mark.byUrgency}`, () => this.cluster(mark));
    }
    this.show(scene);
    this.drawn(this.boxes());
  }

  /** Put up what is new and take down what is gone; what stays keeps its focus. */
  show(scene) {
    for (const [key, layer] of this.shown) {
      if (scene.has(key)) continue;
      layer.remove();
      this.shown.delete(key);
    }
    for (const [key, make] of scene) {
      if (!this.shown.has(key)) this.shown.set(key, make().addTo(this.map));
    }
  }

  /** What the marks cover, in layer pixels: names keep away from it. */
  boxes() {
    return this.marks.map(({ x, y, feature, count }) => {
      const half = feature ? 13 : clusterSize(count) / 2;
      return { left: x - half, right: x + half, top: y - half, bottom: y + half };
    });
  }

  single([id, lon, lat, code, urgency, hatched]) {
    const kind = category(code);
    const node = element("div", { class: "vm-mark" }, issueMark(group(kind.group).shape, urgency, Boolean(hatched)));
    const words = `${kind.label}${say("comma")}${label("urgencies", urgency)}`;
    return pressable([lat, lon], node, words, STACK[urgency] ?? 0, () => this.open(id, L.latLng(lat, lon)));
  }

  /** A line or area: its urgency's colour on a white casing, under the mark. */
  outline([id, lon, lat, , urgency], geometry) {
    const look = LOOKS[urgency] ?? LOOKS.in_time;
    const casing = L.geoJSON(geometry, { interactive: false, style: { color: "#fff", weight: 7, fill: false } });
    const style = { color: look.outline ?? look.fill, weight: 3, fillColor: look.fill, fillOpacity: 0.35 };
    const drawn = L.geoJSON(geometry, { style });
    drawn.on("click", () => this.open(id, L.latLng(lat, lon)));
    return L.layerGroup([casing, drawn]);
  }

  cluster({ lon, lat, count, byUrgency }) {
    const at = L.latLng(lat, lon);
    return pressable(at, clusterBadge(count, byUrgency), clusterWords(count, byUrgency), CLUSTER_STACK, () => this.zoomTo(at));
  }

  /** Two steps nearer; where there is nothing nearer, a list of what lies on that spot. */
  zoomTo(at) {
    const most = this.map.getMaxZoom();
    if (this.map.getZoom() < most) {
      this.map.setView(at, Math.min(most, Math.round(this.map.getZoom()) + 2));
      this.map.getContainer().focus({ preventScroll: true });
      return;
    }
    const middle = this.map.latLngToContainerPoint(at);
    const corner = (d) => this.map.containerPointToLatLng(middle.add([d, d]));
    this.openSpot(L.latLngBounds(corner(-SAME_SPOT), corner(SAME_SPOT)), at);
  }
}
