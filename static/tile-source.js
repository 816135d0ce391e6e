// Where a served page gets its data: tiles, places and issue cards from our own server.
import { page } from "./page.js";

async function fetchJson(address, signal) {
  const answer = await fetch(address, { signal, headers: { accept: "application/geo+json, application/json" } });
  if (!answer.ok) throw new Error(`${answer.status} ${address}`);
  return answer.json();
}

export class TileSource {
  constructor() {
    this.links = page.links;
    this.town = encodeURIComponent(page.town.code);
  }

  async boundary() {
    return fetchJson(`${this.links.towns}/${this.town}`);
  }

  async villages() {
    return fetchJson(`${this.links.villages}?town=${this.town}&limit=1000`);
  }

  async neighbours() {
    return fetchJson(`${this.links.towns}?limit=1000`);
  }

  /** The clusters and single issues of one 512-pixel tile; `categories` is null for all. */
  async tile(z, x, y, categories, signal) {
    const wanted = (categories ?? []).map((code) => `&category=${encodeURIComponent(code)}`).join("");
    return fetchJson(`${this.links.tiles}/${z}/${x}/${y}?town=${this.town}${wanted}`, signal);
  }

  async card(id) {
    return fetchJson(`${this.links.issues}/${encodeURIComponent(id)}`);
  }

  /** Issues inside a small box, for a cluster that no zoom can take apart: rows of id, number, category, found_on. */
  async inside(bounds) {
    const box = bounds.toBBoxString();
    const found = await fetchJson(`${this.links.items}?bbox=${box}&town=${this.town}&limit=50`);
    return found.features.map((feature) => ({ ...feature.properties, id: feature.id ?? feature.properties.id }));
  }
}
