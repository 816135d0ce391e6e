// The ground: neighbouring towns, the town's border, its villages and their names.
import { element, say } from "./page.js";

const NAME_SHIFTS = [0, 26, -26, 40, -40];
const PANES = { "vm-ground": 210, "vm-villages": 300, "vm-town": 320, "vm-names": 420 };

/** Panes of our own, so that borders lie under marks and names between them. */
export function addPanes(map) {
  for (const [name, level] of Object.entries(PANES)) {
    const pane = map.createPane(name);
    pane.style.zIndex = level;
    pane.style.pointerEvents = "none";
  }
}

function areas(data, pane, style) {
  const dot = (_, at) => L.circleMarker(at, { pane, radius: 2.5, weight: 1, color: "#6B7280", fillColor: "#fff", fillOpacity: 1 });
  return L.geoJSON(data, { pane, interactive: false, style, pointToLayer: dot });
}

function dashes(feature) {
  return feature.properties && feature.properties.approximate ? "6 5" : null;
}

/** Draw the towns around this one as quiet grey ground. */
export function drawNeighbours(map, data, ownCode) {
  const others = data.features.filter((feature) => feature.geometry && feature.properties.code !== ownCode);
  const style = { color: "#C4C8CE", weight: 1, fillColor: "#ECECE8", fillOpacity: 1 };
  areas({ type: "FeatureCollection", features: others }, "vm-ground", style).addTo(map);
}

/** Draw the town's border: 2 px dark grey with a white casing, dashed where the area is approximate. */
export function drawTown(layer, answer) {
  const town = answer.type === "FeatureCollection" ? answer.features[0] : answer;
  if (!town?.geometry) return;
  const casing = { color: "#fff", weight: 5, fillColor: "#fff", fillOpacity: 1 };
  const border = (feature) => ({ color: "#374151", weight: 2, fill: false, dashArray: dashes(feature) });
  layer.addLayer(areas(town, "vm-ground", casing));
  layer.addLayer(areas(town, "vm-town", () => ({ color: "#fff", weight: 5, fill: false })));
  layer.addLayer(areas(town, "vm-town", border));
}

/** Draw a whole county's towns: white ground inside their borders. */
export function drawCounty(layer, data) {
  const style = (feature) => ({ color: "#9CA3AF", weight: 1.5, fillColor: "#fff", fillOpacity: 1, dashArray: dashes(feature) });
  layer.addLayer(areas({ type: "FeatureCollection", features: data.features.filter((feature) => feature.geometry) }, "vm-ground", style));
}

/** Draw the villages' borders as hairlines. */
export function drawVillages(layer, data) {
  const drawn = data.features.filter((feature) => feature.geometry);
  const style = (feature) => ({ color: "#7B8794", weight: 0.8, fill: false, dashArray: dashes(feature) });
  layer.addLayer(areas({ type: "FeatureCollection", features: drawn }, "vm-villages", style));
}

function ringArea(ring) {
  return Math.abs(ring.reduce((sum, [x, y], i) => {
    const [nextX, nextY] = ring[(i + 1) % ring.length];
    return sum + x * nextY - nextX * y;
  }, 0)) / 2;
}

/** Where a village's name stands: its committee's seat, else the middle of its largest part. */
function namePoint({ geometry, properties }) {
  if (Array.isArray(properties.seat)) return [properties.seat[1], properties.seat[0]];
  if (!geometry) return null;
  if (geometry.type === "Point") return [geometry.coordinates[1], geometry.coordinates[0]];
  const rings = geometry.type === "MultiPolygon" ? geometry.coordinates.map((part) => part[0]) : [geometry.coordinates[0]];
  const ring = rings.reduce((best, each) => (ringArea(each) > ringArea(best) ? each : best));
  const mean = (axis) => ring.reduce((sum, at) => sum + at[axis], 0) / ring.length;
  return [mean(1), mean(0)];
}

function nameMarker(feature, at) {
  const icon = new L.DivIcon({ className: "vm-name", iconSize: null, html: element("span", {}, feature.properties.short_name || feature.properties.name) });
  return L.marker(at, { icon, pane: "vm-names", interactive: false, keyboard: false });
}

function overlaps(box, placed) {
  return placed.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom);
}

/** Show as many names as fit without touching each other or a mark: in the middle, else below or above it. */
function placeNames(map, names, covered) {
  const placed = [...covered];
  for (const { marker, span } of names) {
    const node = marker.getElement();
    if (!node) return;
    const at = map.latLngToLayerPoint(marker.getLatLng());
    const [width, height] = [span.offsetWidth / 2 + 3, span.offsetHeight / 2];
    const boxes = NAME_SHIFTS.map((shift) => ({
      shift, left: at.x - width, right: at.x + width, top: at.y + shift - height, bottom: at.y + shift + height,
    }));
    const free = boxes.find((box) => !overlaps(box, placed));
    node.classList.toggle("vm-hidden", !free);
    if (!free) continue;
    span.style.top = `${free.shift}px`;
    placed.push(free);
  }
}

/** Write the villages' names, those with most households first; answers what places them around marks. */
export function drawNames(map, layer, data) {
  const most = (feature) => feature.properties.households ?? 0;
  const names = [...data.features].sort((a, b) => most(b) - most(a)).flatMap((feature) => {
    const at = namePoint(feature);
    if (!at) return [];
    const marker = nameMarker(feature, at);
    return [{ marker, span: marker.options.icon.options.html }];
  });
  for (const { marker } of names) layer.addLayer(marker);
  return (covered) => placeNames(map, names, covered);
}

/** The names of a page's layers, as the layer control shows them. */
export function placeLayerName(key) {
  return say({ town: "layer_town", towns: "layer_town", villages: "layer_villages", names: "layer_names" }[key]);
}
