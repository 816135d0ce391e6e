/* A position set by hand, for when the phone gives none: a tap on a map, or a cross that arrow keys move and Enter sets.
   Leaflet and the borders are fetched only when the map is opened; the ground stays blank. */

const LEAFLET = "/static/vendor/leaflet/leaflet";
const MOST_VILLAGES = 1000;
const CLOSE = 14;
const STEP = 24;
const ARROWS = { ArrowUp: [0, -STEP], ArrowDown: [0, STEP], ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0] };
const ZOOMS = { "+": 1, "=": 1, "-": -1 };
const BORDER = { color: "#7B8794", weight: 1, fillColor: "#fff", fillOpacity: 1 };

for (const box of document.querySelectorAll("[data-tap]")) prepare(box);

function prepare(box) {
  const button = box.querySelector("button");
  button.addEventListener("click", () => toggle(box, button));
  const tapped = box.querySelector("[name=tapped]");
  // the phone may have found its position before this script came: shown only now, and only where it is needed
  const needed = () => box.dataset.fallback === undefined || tapped.value || !tapped.form.elements.lon.value;
  document.addEventListener("vm-located", () => { box.hidden = !needed(); });
  box.hidden = !needed();
}

async function toggle(box, button) {
  const place = box.querySelector(".vm-tap-map");
  const open = place.hidden;
  button.setAttribute("aria-expanded", String(open));
  place.hidden = !open;
  box.querySelector(".vm-tap-how").hidden = !open;
  if (!open || place.dataset.opened) return;
  place.dataset.opened = "1";
  try {
    const [villages] = await Promise.all([fetchVillages(box.dataset.town), loadLeaflet()]);
    draw(box, place, villages);
  } catch {
    delete place.dataset.opened;
    place.hidden = true;
    button.setAttribute("aria-expanded", "false");
    tell(box, box.dataset.failed);
  }
}

async function fetchVillages(town) {
  const asked = new URLSearchParams({ limit: String(MOST_VILLAGES), ...(town && { town }) });
  const answer = await fetch(`/collections/villages/items?${asked}`);
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()).features.filter((feature) => feature.geometry);
}

function loadLeaflet() {
  const style = Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${LEAFLET}.css` });
  const script = Object.assign(document.createElement("script"), { src: `${LEAFLET}.js` });
  const loaded = [style, script].map((node) => new Promise((resolve, reject) => {
    node.addEventListener("load", resolve);
    node.addEventListener("error", reject);
  }));
  document.head.append(style, script);
  return Promise.all(loaded);
}

function draw(box, place, villages) {
  const map = L.map(place, {
    attributionControl: false, zoomAnimation: false, fadeAnimation: false, inertia: false, maxZoom: 18, minZoom: 7,
    keyboard: false, // Leaflet's own arrows glide: Enter would set a place on the way
  });
  const style = (feature) => ({ ...BORDER, dashArray: feature.properties.approximate ? "6 5" : null });
  const layer = L.geoJSON(villages, { style, interactive: false, pointToLayer: dot });
  const near = box.dataset.near?.split(",").map(Number);
  if (near) map.setView([near[1], near[0]], CLOSE);
  else if (villages.length) map.fitBounds(layer.getBounds());
  else map.setView([0, 0], 7);
  layer.addTo(map);
  nameVillages(map, villages);
  addCross(map, place, box, villages);
  if (villages.some((village) => village.properties.approximate)) tell(box, box.dataset.approximate);
  place.focus({ preventScroll: true });
  place.dataset.drawn = "1";
}

function dot(_, at) {
  return L.circleMarker(at, { radius: 3, weight: 1, color: "#6B7280", fillColor: "#fff", fillOpacity: 1 });
}

/* Names stand where there is room for them: only while few villages are in sight. */
function nameVillages(map, villages) {
  const names = L.layerGroup().addTo(map);
  const show = () => {
    names.clearLayers();
    const seen = map.getBounds();
    const named = villages.filter(({ properties }) => properties.seat && seen.contains([properties.seat[1], properties.seat[0]]));
    if (named.length > 12) return;
    for (const { properties } of named) {
      const word = document.createElement("span");
      word.textContent = properties.short_name || properties.name;
      L.tooltip({ permanent: true, direction: "center", className: "vm-tap-name", interactive: false })
        .setLatLng([properties.seat[1], properties.seat[0]]).setContent(word).addTo(names);
    }
  };
  map.on("moveend", show);
  show();
}

function addCross(map, place, box, villages) {
  const cross = document.createElement("span");
  cross.className = "vm-cross";
  cross.setAttribute("aria-hidden", "true");
  place.append(cross);
  let mark = null;
  const set = (at) => {
    mark?.remove();
    mark = L.circleMarker(at, { radius: 9, weight: 3, color: "#fff", fillColor: "#2166AC", fillOpacity: 1, interactive: false }).addTo(map);
    fill(box, at, villages);
  };
  map.on("click", ({ latlng }) => set(latlng));
  place.tabIndex = 0;
  place.addEventListener("keydown", (event) => {
    if (event.target !== place || event.ctrlKey || event.altKey || event.metaKey) return;
    const { key, shiftKey } = event;
    if (key in ARROWS) map.panBy(ARROWS[key].map((step) => (shiftKey ? 4 * step : step)), { animate: false });
    else if (key in ZOOMS) map.setZoom(map.getZoom() + ZOOMS[key]);
    else if (key === "Enter") set(map.getCenter());
    else return;
    event.preventDefault(); // the page doesn't scroll, and Enter sends nothing
  });
}

function fill(box, { lat, lng }, villages) {
  const { lon, lat: latitude, accuracy_m, tapped } = box.closest("form").elements;
  lon.value = lng.toFixed(7);
  latitude.value = lat.toFixed(7);
  accuracy_m.value = "";
  tapped.value = "1";
  box.hidden = false;
  const inside = villages.find(({ geometry }) => covers(geometry, lng, lat));
  tell(box, box.dataset.tapped.replace("{place}", inside ? inside.properties.name : box.dataset.outside));
  for (const line of box.closest("form").querySelectorAll("[data-position]")) line.hidden = true;
}

function tell(box, words) {
  box.querySelector(".vm-tap-said").textContent = words;
}

/* Whether an area holds a point: a ray to the east crosses its rings an odd number of times. */
function covers({ type, coordinates }, x, y) {
  const polygons = { Polygon: [coordinates], MultiPolygon: coordinates }[type] ?? [];
  return polygons.some((rings) => rings.reduce((odd, ring) => odd !== crosses(ring, x, y), false));
}

function crosses(ring, x, y) {
  let odd = false;
  for (let index = 1; index < ring.length; index += 1) {
    const [[fromX, fromY], [toX, toY]] = [ring[index - 1], ring[index]];
    if (fromY > y !== toY > y && x < fromX + ((toX - fromX) * (y - fromY)) / (toY - fromY)) odd = !odd;
  }
  return odd;
}
