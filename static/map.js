// Puts the town on the map that Folium framed.
import { element, group, page, readBlock, say } from "./page.js";
import { addBasemap, labelToggle, labelZoom } from "./controls.js";
import { addHatch, shapeMark } from "./marks.js";
import { drawPanel } from "./panel.js";
import { addPanes, drawNames, drawNeighbours, drawTown, drawVillages, placeLayerName } from "./places.js";
import { issueContent, listContent } from "./popup.js";
import { TileSource } from "./tile-source.js";
import { InlineSource } from "./inline-source.js";
import { IssuesLayer } from "./issues-layer.js";

const frame = window.villagemap_frame;
const map = frame.map;
const town = readBlock("villagemap-town");
const source = town ? new InlineSource(town) : new TileSource();
const faultBox = document.getElementById("vm-fault");

const retries = new Map();

/** Say beside the map that data is missing, with one button that asks again for all that failed. */
function fault(what, retry) {
  retries.set(what, retry);
  const button = element("button", { type: "button" }, say("retry"));
  button.addEventListener("click", () => {
    const failed = [...retries.values()];
    retries.clear();
    faultBox.hidden = true;
    for (const again of failed) again();
  });
  faultBox.replaceChildren(element("span", {}, say("fault")), button);
  faultBox.hidden = false;
}

/** A popup of its own rather than the mark's, so that it outlives a mark that leaves the viewport. */
const popup = L.popup({ maxWidth: 340, minWidth: 240, maxHeight: 420, autoPanPadding: [12, 12], offset: [0, -6] });
let opener = null;

/** Places the villages' names around the marks, as soon as both are there. */
let placeNamesAround = () => {};
let covered = [];

function showPopup(at, content) {
  if (!popup.isOpen() || !popup.getElement().contains(document.activeElement)) opener = document.activeElement;
  popup.setLatLng(at).setContent(content).openOn(map);
  popup.getElement().querySelector(".leaflet-popup-close-button")?.setAttribute("aria-label", say("close"));
  content.querySelector("h2")?.focus({ preventScroll: true });
}

async function open(id, at) {
  showPopup(at, element("p", { class: "vm-quiet", "aria-busy": "true" }, say("loading")));
  try {
    showPopup(at, issueContent(await source.card(id)));
  } catch {
    const retry = element("button", { type: "button" }, say("retry"));
    retry.addEventListener("click", () => open(id, at));
    showPopup(at, element("p", {}, say("fault"), retry));
  }
}

async function openSpot(bounds, at) {
  try {
    const rows = await source.inside(bounds);
    showPopup(at, rows.length ? listContent(rows, (id) => open(id, at)) : element("p", {}, say("clusters_end")));
  } catch {
    fault("spot", () => openSpot(bounds, at));
  }
}

map.getContainer().addEventListener("keydown", (event) => {
  if (event.key === "Escape") map.closePopup();
});
map.on("popupopen", () => map.getContainer().classList.add("vm-reading"));
map.on("popupclose", () => {
  map.getContainer().classList.remove("vm-reading");
  if (opener?.isConnected) opener.focus({ preventScroll: true });
});

/** Give Folium's layer control our words and shapes; its own names are constants. */
function labelControl(control) {
  const addItem = control._addItem;
  control._addItem = function addLabelledItem(item) {
    const row = addItem.call(this, item);
    const [, index] = item.name.split("group-");
    const words = row.querySelector("span span");
    const known = index === undefined ? null : page.groups[Number(index)];
    words.replaceChildren(known ? known.label : placeLayerName(item.name));
    if (known) words.before(shapeMark(group(known.code).shape));
    return row;
  };
  control._update();
  labelToggle(control);
}

/** The address bar remembers zoom and middle; a page inside a notebook's frame has no address of its own. */
function rememberView() {
  if (window.location.protocol === "about:") return;
  const given = /^#(\d+(?:\.\d+)?)\/(-?\d+(?:\.\d+)?)\/(-?\d+(?:\.\d+)?)$/.exec(window.location.hash);
  if (given) map.setView([Number(given[2]), Number(given[3])], Number(given[1]), { animate: false });
  map.on("moveend", () => {
    const { lat, lng } = map.getCenter();
    window.history.replaceState(null, "", `#${map.getZoom()}/${lat.toFixed(5)}/${lng.toFixed(5)}`);
  });
}

/** Marks have been drawn: names make room, and a reader of the page (a test, a printer) may know it. */
function drawn(boxes) {
  covered = boxes;
  placeNamesAround(covered);
  map.getContainer().dataset.drawn = "yes";
}

async function drawGround() {
  try {
    const [boundary, villages] = await Promise.all([source.boundary(), source.villages()]);
    drawTown(frame.layers.town, boundary);
    drawVillages(frame.layers.villages, villages);
    placeNamesAround = drawNames(map, frame.layers.names, villages);
    frame.layers.names.on("add", () => placeNamesAround(covered));
    placeNamesAround(covered);
  } catch {
    fault("ground", drawGround);
  }
}

async function drawAround() {
  try {
    drawNeighbours(map, await source.neighbours(), page.town.code);
  } catch {
    fault("around", drawAround);
  }
}

function start() {
  addHatch();
  addPanes(map);
  drawPanel(map, Boolean(town?.clusters));
  labelControl(frame.control);
  labelZoom(map);
  map.getContainer().setAttribute("aria-label", say("map_of", { town: page.town.name }));
  map.invalidateSize({ animate: false });
  const [west, south, east, north] = page.bbox;
  map.fitBounds([[south, west], [north, east]], { padding: [24, 24], animate: false });
  rememberView();
  if (page.basemap) addBasemap(map, page.basemap);
  const issues = new IssuesLayer(map, source, { open, openSpot, fault, drawn });
  page.groups.forEach((each, index) => {
    const layer = frame.layers[`group-${index}`];
    layer.on("add", () => issues.toggle(each.code, true));
    layer.on("remove", () => issues.toggle(each.code, false));
  });
  drawGround();
  issues.refresh();
  if (!page.basemap) drawAround();
  window.addEventListener("beforeprint", () => map.invalidateSize({ animate: false }));
}

start();
