// Around the map: a title that states a finding, the figures, the legend, what has to stand on every print.
import { addCaption } from "./controls.js";
import { element, figure, label, page, say, shortFigure } from "./page.js";
import { clusterMark, clusterSize, issueMark, shapeMark } from "./marks.js";

function title() {
  const { open, overdue } = page.counts;
  if (!open) return say("title_clear", { town: page.town.name });
  const key = overdue ? "title" : "title_in_time";
  return say(key, { town: page.town.name, open: figure(open), overdue: figure(overdue) });
}

function drawHead() {
  const head = document.getElementById("vm-head");
  document.title = say("tab_title", { town: page.town.name, county: page.town.county });
  const where = element("p", { class: "vm-where" }, page.links ? element("a", { href: page.links.home }, page.town.county) : page.town.county);
  if (page.demo) where.append(element("span", { class: "vm-badge" }, say("demo")));
  head.append(where, element("h1", {}, title()));
  const day = page.data_on ? say("data_on", { day: page.data_on }) : say("no_data");
  head.append(element("p", { class: "vm-quiet" }, `${day}${say("stop")}${say("measured_on", { day: page.today })}`));
}

function drawFigures() {
  const figures = element("dl", { class: "vm-figures" });
  for (const name of ["found", "open", "overdue", "claimed", "verified", "deferred"]) {
    const value = element("dd", {}, element("b", {}, figure(page.counts[name])), `\u2009${say("cases")}`);
    figures.append(element("div", { class: `vm-figure vm-${name}` }, element("dt", {}, say(name)), value));
  }
  const section = document.getElementById("vm-figures");
  section.setAttribute("aria-label", say("figures"));
  section.append(figures);
  const notes = [];
  if (page.counts.unlocated) notes.push(say("unlocated", { count: figure(page.counts.unlocated) }));
  if (page.counts.outside) notes.push(say("outside", { count: figure(page.counts.outside) }));
  if (page.withheld) notes.push(say("withheld", { count: figure(page.withheld) }));
  if (notes.length) section.append(element("p", { class: "vm-quiet" }, notes.join(say("semicolon")) + say("stop")));
  if (page.links) {
    const address = `${page.links.export}?town=${encodeURIComponent(page.town.code)}`;
    section.append(element("p", { class: "vm-links" }, element("a", { href: address, download: "" }, say("export"))));
  }
}

function legendPart(heading, rows) {
  const list = element("ul", { class: "vm-legend" });
  for (const [mark, words, wide] of rows) {
    list.append(element("li", wide ? { class: "vm-wide" } : {}, mark, element("span", {}, words)));
  }
  return element("section", { class: "vm-card" }, element("h2", {}, heading), list);
}

function urgencyRows() {
  const rows = page.urgencies.map((urgency) => {
    const mark = issueMark("garbage", urgency);
    mark.setAttribute("class", "vm-swatch");
    return [mark, label("urgencies", urgency)];
  });
  const hatched = issueMark("garbage", "in_time", true);
  hatched.setAttribute("class", "vm-swatch");
  return [...rows, [hatched, say("hatched"), true]];
}

/** A cluster drawn with its count, of the size that the count gives it. */
export function clusterBadge(count, byUrgency) {
  const badge = element("span", { class: "vm-cluster" }, clusterMark(count, byUrgency));
  badge.append(element("span", { class: "vm-count" }, shortFigure(count)));
  badge.style.width = badge.style.height = `${clusterSize(count)}px`;
  return badge;
}

function drawLegend(clustersOnly) {
  const legend = document.getElementById("vm-legend");
  legend.setAttribute("aria-label", say("legend"));
  const sample = clusterBadge(24, [6, 3, 3, 6, 2, 4]);
  sample.setAttribute("aria-hidden", "true");
  legend.append(legendPart(say("colour_says"), [...urgencyRows(), [sample, say("cluster_means"), true]]));
  legend.append(legendPart(say("shape_says"), page.groups.map((each) => [shapeMark(each.shape), each.label])));
  if (clustersOnly) legend.append(element("p", { class: "vm-card vm-quiet" }, say("clusters_only", { count: figure(page.counts.found) })));
}

export function drawPanel(map, clustersOnly) {
  drawHead();
  drawFigures();
  drawLegend(clustersOnly);
  addCaption(map);
}
