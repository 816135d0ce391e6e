// Leaflet's controls in our words, a county's own basemap, and what has to stand inside every map.
import { element, page, say } from "./page.js";

/** Name the buttons that zoom. */
export function labelZoom(map) {
  for (const [name, key] of [["in", "zoom_in"], ["out", "zoom_out"]]) {
    const button = map.getContainer().querySelector(`.leaflet-control-zoom-${name}`);
    button.title = say(key);
    button.setAttribute("aria-label", say(key));
  }
}

/** Name the button that opens the layer control. */
export function labelToggle(control) {
  const toggle = control.getContainer().querySelector(".leaflet-control-layers-toggle");
  toggle.title = say("layers");
  toggle.setAttribute("aria-label", say("layers"));
}

export function addBasemap(map, { url, credit }) {
  const plain = element("span", {}, credit).innerHTML;
  L.tileLayer(url, { attribution: plain, maxZoom: 19, className: "vm-basemap" }).addTo(map);
}

/** What has to stand inside the map, also on paper and on a screenshot. */
export function addCaption(map) {
  const lines = [];
  if (page.demo) lines.push(say("demo_caption"));
  if (page.approximate) lines.push(say("approximate"));
  const number = page.review_number || (page.basemap ? page.basemap.review_number : "");
  lines.push(number ? say("review_number", { number }) : say("internal"));
  const caption = new L.Control({ position: "bottomleft" });
  caption.onAdd = () => element("div", { class: "vm-caption" }, ...lines.map((line) => element("p", {}, line)));
  caption.addTo(map);
}
